// Package words is the words that people write down to keep a key: BIP-39's sentence of 12 to 24 English words, and the
// tree of keys that BIP-32 grows from them. It is pure: no files, no clock, and dice are passed in.
//
//	dice ── 128..256 bits ── words ── PBKDF2, 2048 rounds ── seed, 64 bytes ── BIP-32 along a path ── private key
//	                         ^ what a person keeps, with a checksum of 4..8 bits
//
// # Which key is the account's
//
// The first receiving address of a wallet's first account, so that any wallet that restores the words shows it first:
//
//	kind         path (mainnet)       standard
//	p2pkh        m/44'/0'/0'/0/0      BIP-44
//	p2sh-p2wpkh  m/49'/0'/0'/0/0      BIP-49
//	p2wpkh       m/84'/0'/0'/0/0      BIP-84
//	p2tr         m/86'/0'/0'/0/0      BIP-86
//
// The second number is the coin: 1 on testnet and regtest (SLIP-44). Words from elsewhere may go with any other path.
//
// BIP-39 lets a person add a passphrase of their own to the words, which gives another tree. It is not used here: a key
// file's passphrase guards the file, and the words alone restore the key.
//
// The curve and the trees are btcutil/hdkeychain's, the words and the seed go-bip39's.
package words
