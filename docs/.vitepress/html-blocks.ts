import type { MarkdownOptions } from 'vitepress';

type MarkdownIt = Parameters<NonNullable<MarkdownOptions['preConfig']>>[0];

/**
 * Keeps the rule by which Markdown finds blocks of HTML. The one that VitePress puts in its place takes each line that begins
 * with `<name>` for a component, also where a line of code goes on after a line break.
 */
export function keepHtmlBlocks(md: MarkdownIt): void {
  const { ruler } = md.block;
  const replace = ruler.at.bind(ruler);
  ruler.at = (name, rule, options) => {
    if (name !== 'html_block') replace(name, rule, options);
  };
}
