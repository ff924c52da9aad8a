// Kept apart, and in plain old syntax, so that a much too old Node can still read it and say what is wrong.
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    'taskscope needs Node.js 20.19 or later, and this is Node.js ' +
      process.versions.node +
      '.\nInstall a current version from https://nodejs.org/ and run the command again.',
  );
  process.exit(1);
}
