package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// testKey gives the same key for the same seed.
func testKey(t testing.TB, seed byte) PrivateKey {
	t.Helper()
	k, err := NewPrivateKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnAccountHasOneSpelling(t *testing.T) {
	k := testKey(t, 1)
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		for _, kind := range Kinds() {
			a := k.Address(network, kind)
			got, err := ParseAddress(network, a.String())
			if err != nil || got != a {
				t.Errorf("%s %s: %q parses to %v, %v", network, kind, a, got, err)
			}
			for _, bad := range []string{" " + a.String(), a.String() + "\n", a.String()[:20], strings.ToUpper(a.String())} {
				if _, err := ParseAddress(network, bad); !errors.Is(err, ErrAddress) {
					t.Errorf("%s %s: %q: got %v, want a refusal", network, kind, bad, err)
				}
			}
		}
	}
}

func TestAddressesOfOthersAreRefusedWithAHint(t *testing.T) {
	k := testKey(t, 1)
	cases := map[string]struct{ text, hint string }{
		"testnet's":      {k.Address(Testnet, P2WPKH).String(), "testnet"},
		"regtest's":      {k.Address(Regtest, P2WPKH).String(), "regtest"},
		"upper case":     {strings.ToUpper(k.Address(Mainnet, P2WPKH).String()), "lower case"},
		"witness script": {"bc1qp0ahvfh83088w49k405szqgg4f3pptr7p2g06tdxfjcd40z4lh4q95lsz9", "p2wpkh"},
		"of the future":  {"bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "mistyped"},
		"a public key":   {fmt.Sprintf("%x", k.key.PubKey().SerializeCompressed()), "p2wpkh"},
		"a typo":         {"bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0m", "mistyped"},
		"a name":         {"root", "mistyped"},
	}
	for name, c := range cases {
		_, err := ParseAddress(Mainnet, c.text)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: got %v, want a hint with %q", name, err, c.hint)
		}
	}
}

func TestWIFIsStrict(t *testing.T) {
	k := testKey(t, 2)
	for _, network := range []Network{Mainnet, Testnet} {
		back, err := ParseWIF(network, k.WIF(network))
		if err != nil || !back.key.Key.Equals(&k.key.Key) {
			t.Errorf("%s: %v", network, err)
		}
	}
	over := append(bytes.Repeat([]byte{0xff}, 32), 1) // above the order; a lenient reader takes the remainder
	for name, text := range map[string]string{
		"another network": k.WIF(Testnet),
		"uncompressed":    "5JqSfbkoVDrzM5i7PH7939G5fwWVDWmnFTSMbVctAmet3tYMq2S",
		"cut off":         k.WIF(Mainnet)[:40],
		"out of range":    base58.CheckEncode(over, 0x80),
		"zero":            base58.CheckEncode(append(make([]byte, 32), 1), 0x80),
		"empty":           "",
	} {
		_, err := ParseWIF(Mainnet, text)
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
}

func TestPrivateKeysDoNotPrint(t *testing.T) {
	k := testKey(t, 3)
	secret := fmt.Sprintf("%x", k.key.Serialize())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if out := fmt.Sprintf(verb, k); strings.Contains(out, secret) {
			t.Errorf("%s prints the secret", verb)
		}
	}
	if !strings.Contains(fmt.Sprintf("%x", k.key.Serialize()), secret) {
		t.Error("control: the bare bytes do print it")
	}
}

func TestBrokenDiceMakeNoKey(t *testing.T) {
	for name, dice := range map[string][]byte{"zeroes": make([]byte, 1024), "ones": bytes.Repeat([]byte{0xff}, 1024), "short": {1}} {
		if _, err := NewPrivateKey(bytes.NewReader(dice)); err == nil {
			t.Errorf("%s: made a key", name)
		}
	}
}

// A signature binds account, message and key; each alone, changed, breaks it.
func TestSignThenVerify(t *testing.T) {
	k, other := testKey(t, 4), testKey(t, 5)
	for _, kind := range Kinds() {
		a := k.Address(Mainnet, kind)
		for _, message := range []string{"", "Hello World", strings.Repeat("long ", 1000)} {
			sig, err := k.Sign(a, message)
			if err != nil {
				t.Fatal(err)
			}
			if len(sig) > MaxSignature {
				t.Errorf("%s: a signature of %d characters", kind, len(sig))
			}
			if err := Verify(a, message, sig); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if Verify(other.Address(Mainnet, kind), message, sig) == nil {
				t.Errorf("%s: passes for another account", kind)
			}
			if Verify(a, message+"x", sig) == nil {
				t.Errorf("%s: passes for another message", kind)
			}
			if Verify(a, message, sig+"\n") == nil || Verify(a, message, sig[:10]+"\n"+sig[10:]) == nil || Verify(a, message, " "+sig) == nil {
				t.Errorf("%s: passes in another spelling", kind)
			}
		}
		if _, err := other.Sign(a, "x"); !errors.Is(err, ErrKey) {
			t.Errorf("%s: another key signs for the account: %v", kind, err)
		}
	}
}

// The script engine alone accepts every sighash; our rule is what refuses them.
func TestOnlySighashAll(t *testing.T) {
	k := testKey(t, 6)
	for _, kind := range Kinds() {
		checkSighash(t, k, k.Address(Mainnet, kind))
	}
}

func checkSighash(t *testing.T, k PrivateKey, a Address) {
	t.Helper()
	for _, how := range []txscript.SigHashType{txscript.SigHashNone, txscript.SigHashSingle, txscript.SigHashAll | txscript.SigHashAnyOneCanPay} {
		sig, err := signFull(k, a, "pay", how)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(a, "pay", sig); err == nil || !strings.Contains(err.Error(), "sighash") {
			t.Errorf("%s, sighash %#x: got %v, want a refusal", a.kind, how, err)
		}
		if a.kind != P2PKH {
			if sig, err = signSimple(k, a, "pay", how); err != nil {
				t.Fatal(err)
			}
			if err := Verify(a, "pay", sig); err == nil || !strings.Contains(err.Error(), "sighash") {
				t.Errorf("%s, simple, sighash %#x: got %v, want a refusal", a.kind, how, err)
			}
		}
		tx, err := signTransaction(k, a, "pay", how)
		if err != nil {
			t.Fatal(err)
		}
		script, _ := a.script()
		if err := engineAlone(script, tx); err != nil {
			t.Errorf("control: the engine alone refuses %s, sighash %#x (%v), so this test shows nothing", a.kind, how, err)
		}
	}
}

// engineAlone judges without our rules, so that a test can show what they add.
func engineAlone(script []byte, tx *wire.MsgTx) error {
	hashes := txscript.NewTxSigHashes(tx, spent(script))
	e, err := txscript.NewEngine(script, tx, 0, txscript.StandardVerifyFlags, nil, hashes, 0, spent(script))
	if err != nil {
		return err
	}
	return e.Execute()
}

func TestOtherSpellingsOfAWitnessAreRefused(t *testing.T) {
	k := testKey(t, 7)
	a := k.Address(Mainnet, P2WPKH)
	sig, err := k.Sign(a, "m")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(sig, "smp"))
	der := raw[2 : 2+raw[1]]
	s := highS(t, der[:len(der)-1])
	key := raw[len(raw)-33:]
	build := func(items ...[]byte) []byte { return appendWitness(nil, items) }
	long := append([]byte{0xfd, 2, 0}, raw[1:]...) // the count in three bytes
	for name, bad := range map[string][]byte{
		"a byte after":     append(bytes.Clone(raw), 0),
		"a byte missing":   raw[:len(raw)-1],
		"a long count":     long,
		"a third item":     build(der, key, nil),
		"one item":         build(der),
		"no signature":     build(nil, key),
		"high S":           build(append(s, 1), key),
		"uncompressed key": build(der, k.key.PubKey().SerializeUncompressed()),
		"a huge item":      {2, 0xfe, 0xff, 0xff, 0xff, 0xff},
		"nothing":          {},
	} {
		if err := Verify(a, "m", "smp"+base64.StdEncoding.EncodeToString(bad)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if err := Verify(a, "m", "smp"+base64.StdEncoding.EncodeToString(build(der, key))); err != nil {
		t.Errorf("control: the same builder's right witness: %v", err)
	}
}

// highS gives the other DER signature that the curve accepts for the same message.
func highS(t *testing.T, der []byte) []byte {
	t.Helper()
	sig, err := ecdsa.ParseDERSignature(der)
	if err != nil {
		t.Fatal(err)
	}
	r, s := sig.R(), sig.S()
	s.Negate()
	rb, sb := r.Bytes(), s.Bytes()
	body := append(derInt(rb[:]), derInt(sb[:])...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func derInt(b []byte) []byte {
	b = bytes.TrimLeft(b, "\x00")
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return append([]byte{2, byte(len(b))}, b...)
}

// Wallets write different headers for the same account; only the recovery bits matter.
func TestTheHeadersClaimIsIgnored(t *testing.T) {
	k := testKey(t, 8)
	raw := ecdsa.SignCompact(k.key, compactHash("m"), true)
	id := (raw[0] - minHeader) % 4
	for _, kind := range []Kind{P2PKH, P2SHP2WPKH, P2WPKH} {
		for _, base := range []byte{27, 31, 35, 39} {
			raw[0] = base + id
			sig := base64.StdEncoding.EncodeToString(raw)
			if err := Verify(k.Address(Mainnet, kind), "m", sig); err != nil {
				t.Errorf("%s account, header %d: %v", kind, raw[0], err)
			}
			raw[0] = base + (id+1)%4
			if Verify(k.Address(Mainnet, kind), "m", base64.StdEncoding.EncodeToString(raw)) == nil {
				t.Errorf("%s account: wrong recovery bits pass", kind)
			}
		}
	}
	for _, header := range []byte{0, 26, 43, 255} {
		raw[0] = header
		if Verify(k.Address(Mainnet, P2PKH), "m", base64.StdEncoding.EncodeToString(raw)) == nil {
			t.Errorf("header %d passes", header)
		}
	}
}

func TestAnUncompressedKeysAccountLogsIn(t *testing.T) {
	// The uncompressed example of bitcoinjs-message.
	const sig = "G19XLC0OYWN5ftv3N01s1PSt9Zpy0ZRKL2THZA46qGb0Jax29+SFmsdlsup0QKFeGJYN+m2HQTG1Na+YxcjU9ew="
	const message = "This is an example of a signed message."
	w, err := btcutil.DecodeWIF("5JqSfbkoVDrzM5i7PH7939G5fwWVDWmnFTSMbVctAmet3tYMq2S")
	if err != nil {
		t.Fatal(err)
	}
	hash := btcutil.Hash160(w.PrivKey.PubKey().SerializeUncompressed())
	if err := Verify(addressOf(Mainnet, P2PKH, hash), message, sig); err != nil {
		t.Error(err)
	}
	if Verify(addressOf(Mainnet, P2WPKH, hash), message, sig) == nil {
		t.Error("a witness program of an uncompressed key passes")
	}
}

func testChallenge(t testing.TB) Challenge {
	t.Helper()
	return Challenge{
		Satellite: Fingerprint{1, 2, 3},
		Account:   testKey(t, 9).Address(Mainnet, P2WPKH),
		Key:       Fingerprint{4, 5, 6},
		Nonce:     Nonce{7, 8, 9},
		Expires:   time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
	}
}

func TestAChallengeIsWhatAWalletCanShow(t *testing.T) {
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		c := testChallenge(t)
		c.Account = testKey(t, 9).Address(network, P2WPKH)
		line := c.String()
		if len(line) > MaxChallenge {
			t.Errorf("%s: %d characters", network, len(line))
		}
		if strings.Contains(line, strings.Repeat(" ", MaxBlanks+1)) {
			t.Errorf("%s: a run of blanks", network)
		}
		for _, r := range line {
			if r < ' ' || r > '~' {
				t.Errorf("%s: %q is not printable ASCII", network, r)
			}
		}
		back, err := ParseChallenge(network, line)
		if err != nil || back != c {
			t.Errorf("%s: %q parses to %v, %v", network, line, back, err)
		}
	}
}

func TestEveryAccountsChallengeFits(t *testing.T) {
	longest := 0
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		for _, kind := range Kinds() {
			for _, key := range []Fingerprint{{4, 5, 6}, {}} {
				c := testChallenge(t)
				c.Account, c.Key = testKey(t, 9).Address(network, kind), key
				line := c.String()
				if longest = max(longest, len(line)); len(line) > MaxChallenge {
					t.Errorf("%s %s: %d characters", network, kind, len(line))
				}
				if back, err := ParseChallenge(network, line); err != nil || back != c {
					t.Errorf("%s %s: %q parses to %v, %v", network, kind, line, back, err)
				}
			}
		}
	}
	if longest != 238 {
		t.Errorf("the longest has %d characters, and the documentation says 238", longest)
	}
}

func TestAChallengeWithoutAKeySaysSo(t *testing.T) {
	c := testChallenge(t)
	c.Key = Fingerprint{}
	line := c.String()
	if !strings.Contains(line, " with no-key ") {
		t.Errorf("%q does not say that no key was proved", line)
	}
	got, err := FindChallenge(Mainnet, "\n"+line+"\n")
	if err != nil || got != c {
		t.Errorf("got %v, %v", got, err)
	}
	// No second spelling for the same thing.
	if _, err := ParseChallenge(Mainnet, strings.Replace(line, "no-key", Fingerprint{}.String(), 1)); !errors.Is(err, ErrChallenge) {
		t.Errorf("a fingerprint of zeroes: got %v, want a refusal", err)
	}
	// And none for a satellite without one.
	if _, err := ParseChallenge(Mainnet, strings.Replace(line, c.Satellite.String(), "no-key", 1)); !errors.Is(err, ErrChallenge) {
		t.Errorf("a satellite without a key: got %v, want a refusal", err)
	}
}

func TestBadChallengesAreRefused(t *testing.T) {
	line := testChallenge(t).String()
	for name, bad := range map[string]string{
		"another version":   strings.Replace(line, "login 1", "login 2", 1),
		"another purpose":   strings.Replace(line, "login", "delegate", 1),
		"two blanks":        strings.Replace(line, " as ", "  as ", 1),
		"a line end":        line + "\n",
		"a word more":       line + " x",
		"a word less":       line[:strings.LastIndexByte(line, ' ')],
		"loose nonce bits":  strings.Replace(line, testChallenge(t).Nonce.String(), strings.Repeat("A", 21)+"B", 1),
		"local time":        strings.Replace(line, "05Z", "05+01:00", 1),
		"no such day":       strings.Replace(line, "01-02", "02-30", 1),
		"another's network": strings.Replace(line, testChallenge(t).Account.String(), testKey(t, 9).Address(Regtest, P2WPKH).String(), 1),
		"too long":          line + strings.Repeat("x", MaxChallenge),
		"empty":             "",
	} {
		if _, err := ParseChallenge(Mainnet, bad); !errors.Is(err, ErrChallenge) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

func TestOneChallengeIsFoundInAPrompt(t *testing.T) {
	c := testChallenge(t)
	prompt := "(" + c.Account.String() + "@10.77.0.1) \n" + c.String() + "\r\n\nSignature: "
	got, err := FindChallenge(Mainnet, prompt)
	if err != nil || got != c {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := FindChallenge(Mainnet, prompt+"\n"+c.String()); err == nil {
		t.Error("two challenges in one prompt pass")
	}
	if _, err := FindChallenge(Mainnet, "Are you sure you want to continue connecting (yes/no/[fingerprint])? "); err == nil {
		t.Error("found one in OpenSSH's own question")
	}
}

func FuzzChallenge(f *testing.F) {
	line := testChallenge(f).String()
	f.Add(line)
	f.Add(strings.Replace(line, testChallenge(f).Key.String(), "no-key", 1))
	f.Add(strings.Replace(line, testChallenge(f).Key.String(), Fingerprint{}.String(), 1))
	f.Add(strings.Replace(line, "SHA256:", "MD5:", 1))
	f.Add("decenter login 1 at  as  with   ")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := ParseChallenge(Mainnet, line)
		if err != nil {
			return
		}
		if got := c.String(); got != line {
			t.Errorf("%q parses, but is written %q", line, got)
		}
	})
}

func FuzzAddress(f *testing.F) {
	k := testKey(f, 1)
	for _, kind := range Kinds() {
		f.Add(k.Address(Mainnet, kind).String())
		f.Add(k.Address(Regtest, kind).String())
	}
	f.Add(strings.ToUpper(k.Address(Mainnet, P2WPKH).String()))
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(Mainnet, text)
		if err == nil && a.String() != text {
			t.Errorf("%q parses, but is written %q", text, a)
		}
	})
}

func FuzzWitness(f *testing.F) {
	k := testKey(f, 1)
	sig, err := k.Sign(k.Address(Mainnet, P2WPKH), "m")
	if err != nil {
		f.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(sig, "smp"))
	f.Add(raw)
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := parseWitness(raw)
		if err == nil && !bytes.Equal(appendWitness(nil, w), raw) {
			t.Errorf("%x parses, but is written %x", raw, appendWitness(nil, w))
		}
	})
}
