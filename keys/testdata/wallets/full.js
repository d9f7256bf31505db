// full.js: BIP-322 in its full form, with the transactions, hashes and signatures of bitcoinjs-lib. No library on the
// registry has that form; what is ours here is only which transaction the standard wants.
"use strict";

const bitcoin = require("bitcoinjs-lib");
const ecc = require("@bitcoinerlab/secp256k1");

bitcoin.initEccLib(ecc);

const { crypto, opcodes, payments, script, Transaction } = bitcoin;
const networks = { mainnet: bitcoin.networks.bitcoin, testnet: bitcoin.networks.testnet, regtest: bitcoin.networks.regtest };
const { SIGHASH_ALL, SIGHASH_DEFAULT } = Transaction;

function toSpend(output, message) {
  const tag = crypto.sha256(Buffer.from("BIP0322-signed-message"));
  const hash = crypto.sha256(Buffer.concat([tag, tag, Buffer.from(message)]));
  const tx = new Transaction();
  tx.version = 0;
  tx.addInput(Buffer.alloc(32), 0xffffffff, 0, script.compile([opcodes.OP_0, hash]));
  tx.addOutput(output, 0);
  return tx;
}

function toSign(spend) {
  const tx = new Transaction();
  tx.version = 0;
  tx.addInput(spend.getHash(), 0, 0);
  tx.addOutput(Buffer.from([opcodes.OP_RETURN]), 0);
  return tx;
}

// hashToSign is what a key's signature in the first input of tx is of.
function hashToSign(kind, tx, output, key, how) {
  if (kind === "p2tr") {
    return tx.hashForWitnessV1(0, [output], [0], how);
  }
  const legacy = payments.p2pkh({ hash: crypto.hash160(key) }).output;
  return kind === "p2pkh" ? tx.hashForSignature(0, legacy, how) : tx.hashForWitnessV0(0, legacy, 0, how);
}

// tweaked gives the secret of a taproot output without scripts.
function tweaked(secret, key) {
  const even = key[0] === 3 ? ecc.privateNegate(secret) : secret;
  return ecc.privateAdd(even, crypto.taggedHash("TapTweak", key.subarray(1)));
}

function sign(job) {
  const secret = Buffer.from(job.secret, "hex");
  const key = Buffer.from(ecc.pointFromScalar(secret, true));
  const output = bitcoin.address.toOutputScript(job.address, networks[job.network]);
  const tx = toSign(toSpend(output, job.message));
  if (job.kind === "p2tr") {
    const hash = hashToSign(job.kind, tx, output, key, SIGHASH_DEFAULT);
    tx.setWitness(0, [Buffer.from(ecc.signSchnorr(hash, tweaked(secret, key)))]);
  } else {
    const hash = hashToSign(job.kind, tx, output, key, SIGHASH_ALL);
    const sig = script.signature.encode(Buffer.from(ecc.sign(hash, secret)), SIGHASH_ALL);
    if (job.kind === "p2pkh") {
      tx.setInputScript(0, script.compile([sig, key]));
    } else {
      tx.setWitness(0, [sig, key]);
    }
    if (job.kind === "p2sh-p2wpkh") {
      tx.setInputScript(0, script.compile([payments.p2wpkh({ pubkey: key }).output]));
    }
  }
  return "ful" + tx.toBuffer().toString("base64");
}

function verify(job) {
  const network = networks[job.network];
  const output = bitcoin.address.toOutputScript(job.address, network);
  const tx = Transaction.fromBuffer(Buffer.from(job.signature.slice(3), "base64"));
  if (!job.signature.startsWith("ful") || !tx.ins[0].hash.equals(toSpend(output, job.message).getHash())) {
    return false;
  }
  const [sig, key] = job.kind === "p2pkh" ? script.decompile(tx.ins[0].script) : tx.ins[0].witness;
  if (job.kind === "p2tr") {
    const how = sig.length === 65 ? sig[64] : SIGHASH_DEFAULT;
    return ecc.verifySchnorr(hashToSign(job.kind, tx, output, null, how), output.subarray(2), sig.subarray(0, 64));
  }
  const inner = payments.p2wpkh({ pubkey: key, network });
  const held = { p2pkh: payments.p2pkh({ pubkey: key, network }), "p2sh-p2wpkh": payments.p2sh({ redeem: inner, network }), p2wpkh: inner };
  const nested = job.kind !== "p2sh-p2wpkh" || tx.ins[0].script.equals(script.compile([inner.output]));
  if (held[job.kind].address !== job.address || !nested) {
    return false;
  }
  const { signature, hashType } = script.signature.decode(sig);
  return ecc.verify(hashToSign(job.kind, tx, output, key, hashType), key, signature, true);
}

module.exports = { sign, verify };
