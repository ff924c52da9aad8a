// Writes the API reference: Markdown below docs/api, made by TypeDoc from the doc comments of the packages.

import { join } from 'node:path';
import { Application, Converter, ReflectionKind } from 'typedoc';
import { root } from '../../tools/exec.mjs';
import { publicPackages } from '../../tools/projects.mjs';

/** Each entry point that has exports of its own, which the umbrella has not. */
const entries = publicPackages()
  .filter(({ name }) => name.startsWith('@'))
  .flatMap(({ name, folder, manifest, entries: names }) =>
    names.map((entry) => ({
      name: entry,
      source: join(folder, manifest.exports[`.${entry.slice(name.length)}`]['@taskscope/source']),
    })),
  );

const app = await Application.bootstrapWithPlugins(
  /** @type {import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions} */ ({
    plugin: ['typedoc-plugin-markdown', 'typedoc-vitepress-theme'],
    tsconfig: join(root, 'docs/tsconfig.api.json'),
    entryPoints: entries.map(({ source }) => source),
    out: join(root, 'docs/api'),
    docsRoot: join(root, 'docs'),
    name: 'API reference',
    readme: 'none',
    // The sources are found without git, too.
    basePath: root,
    displayBasePath: root,
    disableGit: true,
    gitRevision: 'main',
    sourceLinkTemplate: 'https://github.com/taskscope/taskscope/blob/{gitRevision}/{path}#L{line}',
    sortEntryPoints: false,
    excludePrivate: true,
    excludeInternal: true,
    treatWarningsAsErrors: true,
    validation: { notExported: true, invalidLink: true, rewrittenLink: true },
    // The step `types` does that, with the TypeScript that we build with.
    skipErrorChecking: true,
    logLevel: 'Warn',
    excludeScopesInPaths: true,
    groupOrder: ['Functions', 'Classes', 'Interfaces', 'Type Aliases'],
    indexFormat: 'table',
    useFirstParagraphOfCommentAsSummary: true,
    useCodeBlocks: true,
    expandParameters: true,
    parametersFormat: 'table',
    typeDeclarationFormat: 'table',
    hidePageHeader: true,
    pageTitleTemplates: {
      member: ({ name }) => name,
      module: ({ name }) => name,
    },
    sidebar: { autoConfiguration: true, format: 'vitepress', pretty: false, collapsed: true },
  }),
);

/** Modules have the names by which they are imported, not those of their files. */
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
  for (const module of /** @type {import('typedoc').DeclarationReflection[]} */ (
    context.project.getReflectionsByKind(ReflectionKind.Module)
  )) {
    const file = module.sources?.[0]?.fullFileName;
    const entry = entries.find(({ source }) => source === file);
    if (entry !== undefined) module.name = entry.name;
  }
});

/** `A | (B & { [NOTHING]: never })` is for the compiler's sake: nothing is of the second kind. */
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
  for (const parameter of /** @type {import('typedoc').ParameterReflection[]} */ (
    context.project.getReflectionsByKind(ReflectionKind.Parameter)
  )) {
    if (parameter.type?.type !== 'union') continue;
    const [first, second, third] = parameter.type.types;
    if (first === undefined || second?.type !== 'intersection' || third !== undefined) continue;
    parameter.type = first;
  }
});

/** What is said of all signatures of a function is said once. */
app.converter.on(Converter.EVENT_RESOLVE_END, (context) => {
  for (const { signatures = [] } of /** @type {import('typedoc').DeclarationReflection[]} */ (
    context.project.getReflectionsByKind(ReflectionKind.FunctionOrMethod)
  )) {
    const [first, ...others] = signatures;
    for (const { comment } of others) {
      if (comment === undefined || first?.comment === undefined) continue;
      if (JSON.stringify(comment.summary) !== JSON.stringify(first.comment.summary)) continue;
      comment.summary = [];
      comment.removeTags('@throws');
      comment.removeTags('@example');
    }
  }
});

/** A closing paragraph `Semantics: …` belongs to the whole, not to the block tag that it happens to follow. */
app.converter.on(Converter.EVENT_RESOLVE_END, (context) => {
  for (const { comment } of Object.values(context.project.reflections)) {
    for (const { content } of comment?.blockTags ?? []) {
      const at = content.findIndex(({ text }) => /(^|\n\n)Semantics: /.test(text));
      const part = content[at];
      if (comment === undefined || part === undefined) continue;
      const start = part.text.search(/(^|\n\n)Semantics: /);
      const moved = [{ ...part, text: part.text.slice(start).trimStart() }, ...content.splice(at + 1)];
      part.text = part.text.slice(0, start);
      comment.summary.push({ kind: 'text', text: '\n\n' }, ...moved);
    }
  }
});

const project = await app.convert();
if (project === undefined) process.exit(1);
// TypeDoc asks for the types that are used but not exported in one package only: the one of this name.
for (const { name } of publicPackages()) {
  project.packageName = name;
  app.validate(project);
}
await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;
