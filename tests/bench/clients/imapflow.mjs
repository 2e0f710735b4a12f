// A loop on ImapFlow: fetch, idle. Nothing is parsed or kept. IMAPFLOW in the environment is where it is installed.
import { appendFileSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { ImapFlow } = createRequire(process.env.IMAPFLOW + "/")("imapflow");
const [host, port, authorities, user, password, log] = process.argv.slice(2);

const client = new ImapFlow({
    host,
    port: Number(port),
    secure: true,
    auth: { user, pass: password },
    tls: { ca: readFileSync(authorities) },
    logger: false,
});
await client.connect();
await client.mailboxOpen("INBOX", { readOnly: true });

let news = () => {};
client.on("exists", () => news());
for (let next = 1; ; ) {
    const told = new Promise((resolve) => (news = resolve));
    for await (const mail of client.fetch(`${next}:*`, { uid: true, source: true }, { uid: true })) {
        if (mail.uid < next) continue;
        const found = /^X-Case: (\d+)\r$/m.exec(mail.source.toString("latin1", 0, 16384));
        appendFileSync(log, `${found[1]} ${((performance.timeOrigin + performance.now()) / 1000).toFixed(6)}\n`);
        next = mail.uid + 1;
    }
    client.idle();
    await told;
}
