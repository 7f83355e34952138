// Names Terraform files that HashiCorp's own formatter writes otherwise, with what it writes.
const [modules, ...files] = process.argv.slice(2);
const { format } = require(`${modules}/@cdktf/hcl-tools`);
const fs = require("fs");

(async () => {
  for (const file of files) {
    const text = fs.readFileSync(file, "utf8");
    const formatted = await format(text);
    if (formatted !== text) {
      console.log(`${file} is not formatted:\n${formatted}`);
      process.exitCode = 1;
    }
  }
  console.log(`${files.length} files`);
})();
