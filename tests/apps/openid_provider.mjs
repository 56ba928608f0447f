// A provider of identities on loopback: the reference implementation, with people whom the test names.
// Says its port on standard output; ends with its standard input.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const [redirect, client, secret] = process.argv.slice(2);
/** @type {Record<string, Record<string, unknown>>} */
const people = JSON.parse(process.argv[5]);

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect] }],
    claims: { openid: ["sub"], profile: ["preferred_username", "name", "groups"], email: ["email"] },
    cookies: { keys: ["of a test"] },
    pkce: { required: () => true },
    findAccount: (_, id) => (people[id] ? { accountId: id, claims: () => ({ sub: id, ...people[id] }) } : undefined),
    features: { devInteractions: { enabled: true } },
  });
  server.on("request", provider.callback());
  console.log(port);
});
process.stdin.resume().on("end", () => process.exit());
