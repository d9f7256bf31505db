// Package keys proves who holds a Bitcoin address: accounts, the messages they sign, and the line a satellite
// asks them to sign at login. It is pure: no files, no clock, no network, and dice are passed in.
//
// # Accounts
//
// An account is a Bitcoin address, and its text is its only name, so each address has exactly one spelling
// here. Four kinds are accepted:
//
//	kind         text (mainnet)         script                          proof
//	p2pkh        1…   base58check       DUP HASH160 <h> EQUALVERIFY …   BIP-322 full, BIP-137
//	p2sh-p2wpkh  3…   base58check       HASH160 <HASH160(0 <h>)> EQUAL  BIP-322 full, simple, BIP-137
//	p2wpkh       bc1q… 42 characters,   0 <h>                           BIP-322 full, simple, BIP-137
//	             bech32 (BIP-173)
//	p2tr         bc1p… 62 characters,   1 <q>                           BIP-322 full, simple
//	             bech32m (BIP-350)
//
// where h is HASH160 (RIPEMD-160 of SHA-256) of the public key, and q the public key with BIP-341's tweak, x only; our
// own keys have no script beneath it (BIP-86). An account is one key: neither a witness script (p2wsh), nor another
// redeem script with the hash of a p2sh address, nor the script path of a taproot address is accepted. What a p2sh
// address hides shows only in its first signature, so any is taken as an account, and some have no holder here.
//
// Testnet and regtest addresses are other accounts, accepted only where that Network is asked for.
//
// # BIP-322, version 2
//
// A signature is what would let a virtual transaction, to_sign, spend the virtual output of another, to_spend, that is
// locked to the account and holds the message's hash. The forms are told apart by three letters before the base64:
//
//	smp  simple: the witness alone                                      nothing before it: simple, too
//	ful  full: to_sign as a whole, in the form of BIP-144
//	pof  a proof of funds: refused, for no satellite looks at the chain
//
// A witness is a compact size (how many items) and the items, each after its own compact size:
//
//	p2wpkh, p2sh-p2wpkh   02 | 09..48 | DER signature, low S, then 01 | 21 | compressed public key
//	p2tr                  01 | 40 | Schnorr signature (BIP-340)            sighash DEFAULT
//	                      01 | 41 | Schnorr signature, then 01             sighash ALL
//
// The simple form of p2sh-p2wpkh is not the standard's, but wallets make it: the redeem script follows from the key.
// A full signature, in bytes, integers little-endian:
//
//	4   version: 0 or 2
//	2   00 01, where a witness follows
//	1   01, inputs         32+4  to_spend's id, output 0
//	                       1+n   script: p2pkh: two pushes, signature and key; p2sh-p2wpkh: the push of 0 <h>; else empty
//	                       4     sequence
//	1   01, outputs        8     value 0
//	                       1+1   script: OP_RETURN
//	n   the witness, where one was announced
//	4   lock time
//
// What the standard asks of a verifier is held: every signature signs all (sighash ALL, for taproot also DEFAULT), no
// OP_CODESEPARATOR, no signature within the script it signs, strict DER, low S, minimal pushes, a clean stack. The engine of
// btcd enforces all but the first two, which script.go adds. More inputs than one belong to a proof of funds and are
// refused. Sequence and lock time may be any: they say at which time and age a script with time locks lets its holder
// sign, the standard leaves them unchecked, and no account's script has such locks. They thus delay no login; every line
// that accounts sign for us has times of its own.
//
// # BIP-137, and Electrum's variants of it
//
// The signature is 65 bytes in base64: a header, r, s (32 bytes each, big-endian). The public key is recovered
// from it and hashed.
//
//	header 27..30 p2pkh, uncompressed key   31..34 p2pkh   35..38 p2sh-p2wpkh   39..42 p2wpkh
//
// Wallets disagree about the header, so only its two bits for recovery are read. What the key must hash to is
// the account's affair. Such signatures are malleable (s and n-s both verify): a signature must never serve as
// the key of a replay table; Challenge.Nonce does. They also sign for a key, not for an account: one is good for each of the
// key's three accounts. The lines that accounts sign for us name their account.
//
// # Strictness
//
// Everything has one spelling: base64 with its padding and no loose bits, counts in their shortest form, nothing after
// the end. Bytes that claim to hold much cost nothing before it has come (encoding.go).
//
// # Secrets and time
//
// Verifying touches no secret. Of what does, the arithmetic of private keys modulo the group's order, and the comparison
// of a key's text, take the same time for all of them; the library's multiplication of the curve's base point by a key
// or a nonce, and the inversion of an ECDSA nonce, do not (btcec, ScalarBaseMultNonConst and InverseValNonConst), nor
// does the reading of WIF. Whoever can time the signer's process to the cache line could thus learn from it. It runs where
// the account's holder is: no satellite ever signs as an account, or on the demand of a stranger.
//
// # The login challenge
//
// One line, which a hardware wallet can show and sign: see Challenge.
package keys
