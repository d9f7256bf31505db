// wallets.js: reads a JSON array of jobs from standard input, has a wallet's library do each, and writes a JSON array of
// their results. Run by wallets_test.go, which says what a job holds.
"use strict";

const message = require("bitcoinjs-message");
const { Signer, Verifier } = require("bip322-js");
const full = require("./full.js");

const segwit = { "p2sh-p2wpkh": "p2sh(p2wpkh)", p2wpkh: "p2wpkh" };

const libraries = {
  "bitcoinjs-message": {
    sign: (job) => message.sign(job.message, Buffer.from(job.secret, "hex"), true, { segwitType: segwit[job.kind] }).toString("base64"),
    // The last argument: a header of p2pkh may stand for a witness account, as in Electrum.
    verify: (job) => message.verify(job.message, job.address, job.signature, null, job.kind !== "p2pkh"),
  },
  "bip322-js": {
    sign: (job) => Signer.sign(job.wif, job.address, job.message),
    verify: (job) => Verifier.verifySignature(job.address, job.message, job.signature),
  },
  "bitcoinjs-lib": full,
};

function run(job) {
  try {
    const result = libraries[job.library][job.act](job);
    return typeof result === "string" ? { signature: result } : { valid: result };
  } catch (e) {
    return { error: String(e.message) };
  }
}

const jobs = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(jobs.map(run)));
