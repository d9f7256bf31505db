// Package keycmd is `decenter key`: it makes an account's key, shows its address, signs and verifies. It works
// without a satellite.
//
//	decenter key new      [--out FILE] [--network N] [--kind K] [--passphrase] [--import] [--json]
//	decenter key address  [--key FILE] [--json]
//	decenter key sign     [--key FILE] [CHALLENGE]         the challenge from stdin where it is not given
//	decenter key sign     [--key FILE] --message TEXT      any other text
//	decenter key verify   [--network N] [--json] ACCOUNT SIGNATURE [MESSAGE]
//	decenter key export   [--key FILE]                     the secret, for a wallet to import
//	decenter key askpass  PATH                             writes the program for SSH_ASKPASS
//
// The key file is --key's, else DECENTER_KEY's, else ~/.config/decenter/key (package keyfile).
//
// # Logging in with a key on this machine
//
// OpenSSH asks the program named by SSH_ASKPASS to answer the satellite's challenge. It wants one path, with no
// arguments, and hands the prompt over as the only one. Any of these is such a program:
//
//	decenter key askpass ~/bin/login      a script of two lines that calls `decenter key sign`
//	ln -s decenter decenter-askpass       any name of the binary that ends in "-askpass"
//	DECENTER_ASKPASS=1                    in the environment, and the binary itself
//
// so that a script needs
//
//	SSH_ASKPASS=~/bin/login SSH_ASKPASS_REQUIRE=force ssh ACCOUNT@SATELLITE 'relocate web-1'
//
// # What sign refuses
//
// A challenge that someone relays to you would log them in. So sign looks for exactly one challenge in what it
// is given, and signs it only where it names the key file's own account, and an SSH key that is yours: one
// of DECENTER_SSH_KEY (public key files or SHA256 fingerprints, separated by colons or blanks), else one of
// ~/.ssh/id_*.pub or of your SSH agent. Where none of these exists it cannot tell, says so, and signs. It
// answers none of OpenSSH's other questions. With --message it signs anything but what looks like a challenge.
//
// The signature alone goes to stdout; what is signed goes to stderr.
//
// # Exit codes
//
// 0 done, 1 failed or refused (verify: the signature is not the account's), 2 the command cannot be meant so.
package keycmd
