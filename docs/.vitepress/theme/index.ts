// The default theme with the fonts of the system, so that nothing has to be loaded for them.

import theme from 'vitepress/theme-without-fonts';
import './style.css';

export default theme;
