// Package keycmd is `decenter key`: it makes an account's key, shows its address, and signs: logins, and what the account
// declares about trust. It works without a satellite.
//
//	decenter key new         [--out FILE] [--network N] [--kind K] [--words 12] [--passphrase] [--json]
//	decenter key new         --import [--path m/84'/0'/0'/0/0] …   BIP-39 words, or a WIF, from stdin
//	decenter key address     [--key FILE] [--json]
//	decenter key words       [--key FILE] [--json]          the words, to write them down
//	decenter key export      [--key FILE]                   the secret, for a wallet to import
//	decenter key sign        [--key FILE] [--no-key] [CHALLENGE]   the challenge from stdin where it is not given; a terminal's next line
//	decenter key sign        [--key FILE] --statement LINE  a statement that something else made
//	decenter key sign        [--key FILE] --message TEXT    any other text
//	decenter key verify      [--network N] [--json] ACCOUNT SIGNATURE [MESSAGE]
//	decenter key delegate    [SIGNER] [--ssh-key FILE.pub] [--scope read|operate|all] [--for 30d] [--out FILE]
//	decenter key delegate    [SIGNER] --to SHA256:… [--scope S] [--for 30d]
//	decenter key revoke      [SIGNER] --every | --ssh-key FILE.pub|SHA256:…
//	decenter key admit       [SIGNER] SHA256:… --constellation NAME
//	decenter key eject       [SIGNER] SHA256:… --constellation NAME
//	decenter key grant       [SIGNER] ROLE ACCOUNT --on OBJECT --constellation NAME
//	decenter key askpass     [--key FILE] [--no-key] PATH   writes the program for SSH_ASKPASS
//	decenter key known-hosts [--owner ACCOUNT]… [--constellation NAME] %I %H %t %K
//	decenter key ssh-config  [--owner ACCOUNT]… --satellite HOST[:PORT]   prints a block for ~/.ssh/config
//
// The key file is --key's, else DECENTER_KEY's, else ~/.config/decenter/key (package keyfile). SIGNER is --key FILE, or
// --account ADDRESS where the key is in a wallet: then the line to sign is shown on stderr and the signature read from
// stdin. The signature alone, or what is made with it, goes to stdout; what is signed goes to stderr, in words.
//
// New words are shown once, at the terminal itself, so that no file catches them; where there is none they are not shown
// (see words).
//
// # Logging in with a key on this machine
//
// OpenSSH asks the program named by SSH_ASKPASS to answer the satellite's challenge. It wants one path, with no
// arguments, and hands the prompt over as the only one. Any of these is such a program:
//
//	decenter key askpass ~/bin/login      a script of two lines that calls `decenter key sign --askpass`
//	ln -s decenter decenter-askpass       any name of the binary that ends in "-askpass"
//	DECENTER_ASKPASS=1                    in the environment, and the binary itself
//
// so that a script needs
//
//	SSH_ASKPASS=~/bin/login SSH_ASKPASS_REQUIRE=force ssh -p 2222 ACCOUNT@SATELLITE 'relocate web-1'
//
// # Logging in with one signature for weeks
//
// delegate signs one statement (package keys/statement) that lets the person's SSH key act for the account, and puts it
// into an SSH certificate beside that key, where ssh finds it by itself. The certificate (OpenSSH PROTOCOL.certkeys) is
// signed by the SSH key that it certifies, in its file or its agent:
//
//	type                ssh-…-cert-v01@openssh.com, a user's
//	key, signature key  the SSH key
//	serial              the delegation's start, Unix time
//	valid principals    the account
//	valid after, before the delegation's start and end
//	critical options    none
//	extensions          delegation@decenter  line, LF, signature (statement.Signed.Text)
//	                    permit-pty           and no forwarding of anything
//
// # Declaring
//
// revoke, admit, eject, grant and delegate --to print a line of the grammar. That of delegate --to is for root's shell on
// the very satellite whose key it names: its engine takes it on its own socket alone, and nobody brings it from elsewhere.
// The others any satellite takes from anybody, for they prove themselves:
//
//	declare "decenter revoke 1 as bc1q… key every at 2026-01-02T15:04:05Z" smpAkcw…
//	ssh -p 2222 ACCOUNT@SATELLITE "$(decenter key revoke --every)"
//
// # What sign refuses
//
// A challenge that someone relays to you would log them in. So sign looks for exactly one challenge in what it
// is given, and signs it only where it names the key file's own account, and an SSH key that is yours: one
// of DECENTER_SSH_KEY (public key files or SHA256 fingerprints, separated by colons or blanks), else one of
// ~/.ssh/id_*.pub or of your SSH agent. A challenge that names no SSH key anyone can relay: it is signed with --no-key
// alone. It answers none of OpenSSH's other questions. With --message it signs anything but what looks like a challenge
// or a statement; with --statement a statement of the key's own account alone, and none that is dated ahead, which could
// not be taken back until then.
//
// # Which satellites ssh trusts
//
// known-hosts is what OpenSSH's KnownHostsCommand asks. OpenSSH asks it twice: at %I ORDER, before it knows a key (%t and
// %K are then NONE), and at HOSTNAME, with the host as known_hosts writes it ("[name]:port" where it is not 22) and the
// key that the server offers, a certificate with all that it carries; with CheckHostIP maybe also at ADDRESS. Where the
// certificate carries an owner's admission of its very key (package hostcert) the answer is one line, which makes that
// key good for that host:
//
//	HOST ssh-ed25519 BASE64
//
// ssh knows no authority for the certificate then, and goes by the bare key. (A line with @cert-authority would be no
// better, and ssh would want the host's name among the certificate's principals. Which these must be differs: up to
// OpenSSH 10.2 none stands for any, from 10.3 on "*" does.) In all other cases the answer is nothing, the reason is on
// stderr, and ssh asks its usual question. Owners are --owner's, else those in --owners' file, else in
// ~/.config/decenter/owners, one a line: all of them have to be named, for any may have signed an admission.
//
// # Exit codes
//
// 0 done, 1 failed or refused (verify: the signature is not the account's), 2 the command cannot be meant so, or was
// interrupted. known-hosts ends with 0 whatever it finds, for ssh gives up where its command fails.
package keycmd
