// A real OpenID provider (npm oidc-provider) with three people: prints its port. node oidc.mjs MODULES REDIRECT
import { pathToFileURL } from "node:url";
import { createServer } from "node:http";
const [modules, redirect] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const groups = { ann: ["ai-auditors", "everybody"], nina: ["nlp"], bob: ["everybody"] };
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: "actledger", client_secret: "s3kr3t", redirect_uris: [redirect], grant_types: ["authorization_code"], response_types: ["code"] }],
    pkce: { required: () => true, methods: ["S256"] },
    claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
    scopes: ["openid", "profile", "groups"],
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, groups: groups[id] || [] }) }),
  });
  server.on("request", provider.callback());
  console.log(port);
});
