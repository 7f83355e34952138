// Checks documents against a JSON Schema with ajv: node ajv.js MODULES SCHEMA FILE…; NDJSON files are checked by line.
const fs = require("node:fs");
const [modules, schemaFile, ...files] = process.argv.slice(2);
const schema = JSON.parse(fs.readFileSync(schemaFile, "utf8"));
const draft = (schema["$schema"] || "").includes("2020-12") ? "ajv/dist/2020" : "ajv";
const Ajv = require(`${modules}/${draft}`);
const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: true });
require(`${modules}/ajv-formats`)(ajv);
const validate = ajv.compile(schema);
let bad = 0, all = 0;
for (const file of files) {
  const text = fs.readFileSync(file, "utf8");
  const documents = file.endsWith(".ndjson") ? text.trim().split("\n") : [text];
  for (const document of documents) {
    all += 1;
    if (!validate(JSON.parse(document))) {
      bad += 1;
      if (bad < 5) console.log(file, JSON.stringify(validate.errors.slice(0, 3)));
    }
  }
}
console.log(`${all} checked, ${bad} not valid`);
process.exit(bad || !all ? 1 : 0);
