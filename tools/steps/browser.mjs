import { createApplication, programs } from '../runtimes/application.mjs';
import { openBrowser } from '../runtimes/browser.mjs';
import { asResult } from './result.mjs';

/** The packages as they are published, in a page: without AsyncLocalStorage, so in explicit mode. */
export const browser = {
  name: 'browser',
  about: 'the built packages in a page of headless Chromium',
  needs: ['build'],
  run: async () => {
    const application = await createApplication();
    try {
      const opened = await openBrowser(application.url, (message) => console.log(`  ${message}`));
      try {
        const results = [];
        for (const program of programs.explicit) results.push(...(await opened.run(program)));
        return { ...asResult(results), note: `Chromium ${opened.version}` };
      } finally {
        await opened.close();
      }
    } finally {
      application.close();
    }
  },
};
