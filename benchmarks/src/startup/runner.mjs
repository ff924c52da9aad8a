// Prints how many milliseconds it takes to import a module, which runs it. If a number is given, the module must export
// it as its `result`. JavaScript, so that no loader for TypeScript takes part.

const [specifier, expected] = process.argv.slice(2);
const begun = performance.now();
const module = await import(specifier);
const elapsed = performance.now() - begun;
if (expected !== undefined && module.result !== Number(expected)) {
  throw new Error(`${specifier}: the result is ${module.result}, and should be ${expected}`);
}
console.log(elapsed);
