package keycmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// delegationView is what --json tells of a delegation. Fields are added, never renamed.
type delegationView struct {
	statement.Signed
	Certificate string `json:"certificate,omitempty"` // its path; none with --to
}

// order is what a person wants delegated.
type order struct {
	scope statement.Scope
	life  time.Duration
	key   keys.Fingerprint
	// What the certificate is made from; zero with --to.
	public    ssh.PublicKey
	path, out string
	voucher   statement.VoucherKey // with an SSH key: travels in the certificate
}

func runDelegate(ctx context.Context, env Env, args []string) error {
	f := newFlags(env, "delegate")
	f.withSigner()
	sshKey := f.String("ssh-key", "", "public SSH key `FILE`; else the one in ~/.ssh")
	to := f.String("to", "", "a satellite's own key instead, for root there: `SHA256:…`")
	scope := f.String("scope", string(statement.Operate), "read, operate or all")
	life := f.String("for", "30d", "how `LONG`: 12h, 30d")
	out := f.String("out", "", "certificate `FILE`; else beside the SSH key")
	if _, err := f.parseMixed(args, 0, 0); err != nil {
		return err
	}
	o := order{scope: statement.Scope(*scope), out: *out}
	var err error
	if o.life, err = parseLife(*life); err != nil {
		return err
	}
	if *to == "" {
		if err := o.chooseSSHKey(env, *sshKey); err != nil {
			return err
		}
		d, signed, err := o.sign(ctx, env, f)
		if err != nil {
			return err
		}
		return o.writeCertificate(ctx, env, f, d, signed)
	}
	if *sshKey != "" || *out != "" {
		return invalid("--to is for a satellite's key, which needs no certificate", "leave out --ssh-key and --out")
	}
	if o.key, err = keys.ParseFingerprint(*to); err != nil {
		return typed(err)
	}
	_, signed, err := o.sign(ctx, env, f)
	if err != nil {
		return err
	}
	if !f.json {
		fmt.Fprintln(env.Stderr, "It counts where root types it on that very satellite, after the word decenter, and nowhere else:")
	}
	return printSigned(env, f.json, signed)
}

// maxDays keeps a number of days within a Duration.
const maxDays = 100_000

// parseLife reads how long something is to hold: a number of days such as 30d, or what time.ParseDuration reads.
func parseLife(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, found := strings.CutSuffix(text, "d"); found {
		var n int
		if n, err = strconv.Atoi(days); n > maxDays {
			n = maxDays
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < time.Minute {
		return 0, invalid(fmt.Sprintf("%q is not how long a delegation can last", printable(text)), "use such as 12h or 30d, at least 1m")
	}
	return d, nil
}

// chooseSSHKey finds the SSH key and where its certificate goes: where ssh looks for it by itself.
func (o *order) chooseSSHKey(env Env, named string) error {
	if named == "" {
		var err error
		if named, err = defaultPublic(env); err != nil {
			return err
		}
	}
	var err error
	if o.public, o.path, err = publicKey(named); err != nil {
		return err
	}
	o.key = fingerprint(o.public)
	if o.out == "" {
		o.out = strings.TrimSuffix(o.path, ".pub") + "-cert.pub"
	}
	return checkReplaceable(o.out)
}

// checkReplaceable refuses to write over what is not an older certificate of ours, before anybody signs.
func checkReplaceable(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if old, err := readPublic(path); err == nil {
		if c, is := old.(*ssh.Certificate); is && c.Extensions[statement.CertificateExtension] != "" {
			return nil
		}
	}
	return &api.Error{Code: api.CodeExists, Message: path + " exists, and is no delegation", Hint: "move it away, or name another with --out"}
}

// sign makes the delegation and has it signed.
func (o *order) sign(ctx context.Context, env Env, f *flags) (statement.Delegation, statement.Signed, error) {
	s, err := openSigner(ctx, env, f)
	if err != nil {
		return statement.Delegation{}, statement.Signed{}, err
	}
	from := now(env)
	d := statement.Delegation{Account: s.account, Key: o.key, Scope: o.scope, From: from, Until: from.Add(o.life).Truncate(time.Second)}
	if o.public != nil {
		if o.voucher, err = statement.NewVoucherKey(env.Dice); err != nil {
			return statement.Delegation{}, statement.Signed{}, err
		}
		d.Via = o.voucher.Voucher()
	}
	signed, err := s.declare(env, d)
	return d, signed, err
}

// writeCertificate makes the certificate that carries the delegation, and says what to do with it.
func (o *order) writeCertificate(ctx context.Context, env Env, f *flags, d statement.Delegation, signed statement.Signed) error {
	var c *ssh.Certificate
	err := withSSHSigner(ctx, env, o.public, o.path, func(s ssh.Signer) (err error) {
		c, err = certificate(env.Dice, d, signed, o.voucher, s)
		return err
	})
	if err != nil {
		return err
	}
	if err := replaceFile(o.out, ssh.MarshalAuthorizedKey(c)); err != nil {
		return fmt.Errorf("write the certificate: %w", err)
	}
	if f.json {
		return writeJSON(env.Stdout, delegationView{signed, o.out})
	}
	fmt.Fprintln(env.Stdout, o.out)
	fmt.Fprintf(env.Stderr, "It holds until %s. Now ssh logs in by itself:\n  ssh -p %d %s%s@SATELLITE\n", clock(d.Until), sshPort, o.sshFlags(env), d.Account)
	return nil
}

// sshFlags is what ssh must be told to find the certificate: nothing where it looks by itself.
func (o *order) sshFlags(env Env) string {
	private := strings.TrimSuffix(o.path, ".pub")
	flags := ""
	usual := []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"} // ssh_config(5), IdentityFile
	if dir, name := filepath.Split(private); filepath.Clean(dir) != filepath.Join(env.Getenv("HOME"), ".ssh") || !slices.Contains(usual, name) {
		flags += "-i " + quote(private) + " "
	}
	if o.out != private+"-cert.pub" {
		flags += "-o CertificateFile=" + quote(o.out) + " "
	}
	return flags
}

// certificate makes the SSH user certificate of a signed delegation: signed by the very key that it certifies, because
// only the account's signature inside counts. It allows a terminal, and no forwarding of anything.
func certificate(dice io.Reader, d statement.Delegation, signed statement.Signed, voucher statement.VoucherKey, key ssh.Signer) (*ssh.Certificate, error) {
	c := &ssh.Certificate{
		Key:             key.PublicKey(),
		Serial:          uint64(d.From.Unix()),
		CertType:        ssh.UserCert,
		KeyId:           "decenter " + string(d.Scope),
		ValidPrincipals: []string{d.Account.String()},
		ValidAfter:      uint64(d.From.Unix()),
		ValidBefore:     uint64(d.Until.Unix()),
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": "",
			statement.CertificateExtension: signed.Text(), statement.VoucherExtension: voucher.Text()}},
	}
	if err := c.SignCert(dice, key); err != nil {
		return nil, fmt.Errorf("sign the certificate with the SSH key: %w", err)
	}
	return c, nil
}

// replaceFile writes a file that nobody else may read: the voucher in a certificate is a secret. After a crash there is either
// the old file or the new one.
func replaceFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".cert-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
