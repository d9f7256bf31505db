package keycmd

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// now is the time of a statement made now.
func now(env Env) time.Time { return env.Now().UTC().Truncate(time.Second) }

// declareNow signs and prints the statement that make gives for the signer.
func declareNow(ctx context.Context, env Env, f *flags, make func(signer) (statement.Statement, error)) error {
	s, err := openSigner(ctx, env, f)
	if err != nil {
		return err
	}
	st, err := make(s)
	if err != nil {
		return err
	}
	signed, err := s.declare(env, st)
	if err != nil {
		return err
	}
	return printSigned(env, f.json, signed)
}

func runRevoke(ctx context.Context, env Env, args []string) error {
	f := newFlags(env, "revoke")
	f.withSigner()
	every := f.Bool("every", false, "every key of the account, and every login")
	which := f.String("ssh-key", "", "one key: its public `FILE`, or SHA256:…")
	if _, err := f.parseMixed(args, 0, 0); err != nil {
		return err
	}
	// A name like these is no key file, so it can only be meant for what is to be revoked.
	if *which == "" && (strings.HasPrefix(f.key, "SHA256:") || strings.HasSuffix(f.key, ".pub")) {
		*which, f.key = f.key, ""
	}
	if *every == (*which != "") {
		return invalid("say what to revoke", "give --every, or --ssh-key with a public key file or SHA256:…")
	}
	var key keys.Fingerprint
	if !*every {
		var err error
		if key, err = namedKey(*which); err != nil {
			return err
		}
	}
	return declareNow(ctx, env, f, func(s signer) (statement.Statement, error) {
		return statement.Revocation{Account: s.account, Key: key, At: now(env)}, nil
	})
}

// namedKey reads a fingerprint, or a public key file's. A file's name may come without its ".pub".
func namedKey(text string) (keys.Fingerprint, error) {
	if strings.HasPrefix(text, "SHA256:") {
		f, err := keys.ParseFingerprint(text)
		if err != nil {
			return keys.Fingerprint{}, typed(err)
		}
		return f, nil
	}
	key, _, err := publicKey(text)
	if err != nil {
		return keys.Fingerprint{}, err
	}
	return fingerprint(key), nil
}

func runAdmit(ctx context.Context, env Env, args []string) error { return member(ctx, env, args, true) }
func runEject(ctx context.Context, env Env, args []string) error {
	return member(ctx, env, args, false)
}

func member(ctx context.Context, env Env, args []string, admit bool) error {
	name := "eject"
	if admit {
		name = "admit"
	}
	f := newFlags(env, name)
	f.withSigner()
	constellation := f.String("constellation", "", "the constellation's `NAME`")
	words, err := f.parseMixed(args, 1, 1)
	if err != nil {
		return err
	}
	satellite, err := keys.ParseFingerprint(words[0])
	if err != nil {
		return noSatellite(printable(words[0]), admit)
	}
	if err := needConstellation(*constellation); err != nil {
		return err
	}
	return declareNow(ctx, env, f, func(s signer) (statement.Statement, error) {
		return statement.Membership{Account: s.account, Constellation: *constellation, Satellite: satellite, Admit: admit, At: now(env)}, nil
	})
}

// noSatellite is the error for what is not a fingerprint. A satellite that is in has a name, which its constellation knows;
// a newcomer has none yet that counts.
func noSatellite(named string, admit bool) error {
	if admit {
		return invalid(named+" is not a satellite's fingerprint", "`decenter engine --fingerprint` tells it there: SHA256:…")
	}
	return invalid(named+" is not a satellite's fingerprint, and names are the satellites' own to know",
		fmt.Sprintf("type it there: ssh -t -p %d ACCOUNT@SATELLITE eject %s; or give the fingerprint, which `satellites --json` shows: SHA256:…", sshPort, word(named)))
}

func needConstellation(name string) error {
	if name == "" {
		return invalid("a statement of this kind holds in one constellation", "add --constellation NAME; `trust` shows its name")
	}
	if err := statement.CheckConstellation(name); err != nil {
		return typed(err)
	}
	return nil
}

// grantable is what an object looks like that needs nobody to know a VM's name.
var grantable = regexp.MustCompile(`^(all|array|array@.*|vm:[0-9a-f]{32})$`)

func runGrant(ctx context.Context, env Env, args []string) error {
	f := newFlags(env, "grant")
	f.withSigner()
	constellation := f.String("constellation", "", "the constellation's `NAME`")
	on := f.String("on", "", "`OBJECT`: all, array, array@SATELLITE or a VM's id")
	words, err := f.parseMixed(args, 2, 2)
	if err != nil {
		return err
	}
	if *on == "" {
		return invalid("say what the role is for", "add --on all, array, array@SATELLITE or vm:ID")
	}
	if err := needConstellation(*constellation); err != nil {
		return err
	}
	object := statement.Object(*on)
	if id, found := strings.CutPrefix(*on, "vm:"); found {
		object = statement.ObjectVM(id)
	}
	if named := strings.TrimPrefix(*on, "vm:"); api.CheckName(named) == nil && !grantable.MatchString(string(object)) {
		return invalid(named+" is nothing that can be granted here: VMs' names are the satellites' own to know",
			fmt.Sprintf("type it there: ssh -p %d ACCOUNT@SATELLITE grant %s %s on:%s; or give vm: and the VM's id, which `vm --json` shows",
				sshPort, word(printable(words[0])), word(printable(words[1])), named))
	}
	return declareNow(ctx, env, f, func(s signer) (statement.Statement, error) {
		to, err := keys.ParseAddress(s.account.Network(), words[1])
		if err != nil {
			return nil, typed(err)
		}
		return statement.Grant{Account: s.account, Constellation: *constellation, Role: statement.Role(words[0]), To: to, Object: object, At: now(env)}, nil
	})
}
