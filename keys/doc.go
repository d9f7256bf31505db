// Package keys proves who holds a Bitcoin address: accounts, the messages they sign, and the line a satellite
// asks them to sign at login. It is pure: no files, no clock, no network, and dice are passed in.
//
// # Accounts
//
// An account is a Bitcoin address, and its text is its only name, so each address has exactly one spelling
// here. Two kinds are accepted:
//
//	kind    text (mainnet)       script                        proof
//	p2pkh   1…   base58check     DUP HASH160 <h> EQUALVERIFY … BIP-137
//	p2wpkh  bc1q… BIP-173        0 <h>                         BIP-322 simple, BIP-137
//
// where h is HASH160 (RIPEMD-160 of SHA-256) of the public key. Testnet and regtest addresses are other
// accounts, accepted only where that Network is asked for. bip322.go and bip137.go each hold one kind of proof;
// a new kind of account is a new Kind, a line in address.go and, where its proof is new, a file beside them.
//
// # BIP-322, simple
//
// The signature is the witness stack that would spend a virtual output locked to the account, in base64, after
// the three letters "smp" or after nothing:
//
//	02 | 47..49 | DER signature, low S, then sighash byte 01 | 21 | compressed public key
//	^count      ^length                                       ^length
//
// The script engine of btcd judges the spend under all standard rules. It lets any sighash byte pass, which
// would let a signature say less than the whole; we accept ALL alone.
//
// # BIP-137
//
// The signature is 65 bytes in base64: a header, r, s (32 bytes each, big-endian). The public key is recovered
// from it and hashed.
//
//	header 27..30 p2pkh, uncompressed key   31..34 p2pkh   35..38 p2sh-p2wpkh   39..42 p2wpkh
//
// Wallets disagree about the header, so only its two bits for recovery are read. What the key must hash to is
// the account's affair. Such signatures are malleable (s and n-s both verify): a signature must never serve as
// the key of a replay table; Challenge.Nonce does.
//
// # The login challenge
//
// One line, which a hardware wallet can show and sign: see Challenge.
package keys
