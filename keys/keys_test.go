package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/txscript"
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

// The standards' own examples of which address a public key has: BIP-49, BIP-84 and BIP-86.
func TestAKeysAccountsAreTheStandards(t *testing.T) {
	for _, c := range []struct {
		key     string
		network Network
		kind    Kind
		address string
	}{
		{"03a1af804ac108a8a51782198c2d034b28bf90c8803f5a53f76276fa69a4eae77f", Testnet, P2SHP2WPKH, "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"},
		{"0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c", Mainnet, P2WPKH, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"},
		{"02cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115", Mainnet, P2TR, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"},
		{"0283dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145", Mainnet, P2TR, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
		{"03399f1b2f4393f29a18c937859c5dd8a77350103157eb880f02e8c08214277cef", Mainnet, P2TR, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"},
	} {
		raw, err := hex.DecodeString(c.key)
		if err != nil {
			t.Fatal(err)
		}
		key, err := btcec.ParsePubKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := accountOf(c.network, c.kind, key).String(); got != c.address {
			t.Errorf("%s of %s: got %s, want %s", c.kind, c.key, got, c.address)
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
	longest := 0
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		for _, kind := range Kinds() {
			for _, message := range []string{"", "Hello World", strings.Repeat("long ", 1000)} {
				for form, sig := range everyForm(t, k, k.Address(network, kind), message) {
					longest = max(longest, len(sig))
					checkBinding(t, form, other, k.Address(network, kind), message, sig)
				}
			}
			if _, err := other.Sign(k.Address(network, kind), "x"); !errors.Is(err, ErrKey) {
				t.Errorf("%s: another key signs for the account: %v", kind, err)
			}
		}
	}
	if longest > 300 || longest > MaxSignature {
		t.Errorf("a signature of %d characters", longest)
	}
}

// everyForm gives the signatures that an account's holder can make, by their form.
func everyForm(t testing.TB, k PrivateKey, account Address, message string) map[string]string {
	t.Helper()
	must := func(sig string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	forms := map[string]string{"default": must(k.Sign(account, message)), "full": must(k.SignFull(account, message))}
	if account.kind != P2TR {
		forms["BIP-137"] = signCompact(k, message)
	}
	if account.kind != P2PKH {
		forms["simple"] = must(signSimple(k, account, message, wholeOf(account.kind)))
		forms["unprefixed"] = strings.TrimPrefix(forms["simple"], simplePrefix)
		// ALL is what some wallets write for taproot, in one byte more.
		forms["simple, ALL"] = must(signSimple(k, account, message, txscript.SigHashAll))
	}
	return forms
}

func checkBinding(t *testing.T, form string, other PrivateKey, a Address, message, sig string) {
	t.Helper()
	if err := Verify(a, message, sig); err != nil {
		t.Errorf("%s %s %s: %v", a.network, a.kind, form, err)
	}
	for name, wrong := range map[string]error{
		"for another account":              Verify(other.Address(a.network, a.kind), message, sig),
		"for another message":              Verify(a, message+"x", sig),
		"with a line end after it":         Verify(a, message, sig+"\n"),
		"with a line end in it":            Verify(a, message, sig[:10]+"\n"+sig[10:]),
		"with a blank before it":           Verify(a, message, " "+sig),
		"with its padding left out":        Verify(a, message, strings.TrimRight(sig, "=")+strings.Repeat("=", (strings.Count(sig, "=")+1)%3)),
		"with another form's prefix":       Verify(a, message, fullPrefix+strings.TrimPrefix(strings.TrimPrefix(sig, simplePrefix), fullPrefix)+"AA=="),
		"as a proof of funds":              Verify(a, message, fundsPrefix+strings.TrimPrefix(sig, fullPrefix)),
		"with its first character changed": Verify(a, message, "/"+sig[1:]),
	} {
		if !errors.Is(wrong, ErrSignature) {
			t.Errorf("%s %s %s: passes %s (%v)", a.network, a.kind, form, name, wrong)
		}
	}
}

// The same key on another network, or as another kind, is another account, and a signature is good for one. Only
// BIP-137 signs for a key rather than for an account.
func TestASignatureIsForOneAccount(t *testing.T) {
	k := testKey(t, 4)
	for _, kind := range Kinds() {
		for form, sig := range everyForm(t, k, k.Address(Mainnet, kind), "m") {
			if len(sig) == 88 {
				continue
			}
			for _, as := range Kinds() {
				if err := Verify(k.Address(Mainnet, as), "m", sig); (err == nil) != (as == kind) {
					t.Errorf("%s %s for the %s account: %v", kind, form, as, err)
				}
			}
		}
	}
}

func TestWhatCannotBeSignedIsRefused(t *testing.T) {
	k := testKey(t, 4)
	long := strings.Repeat("x", MaxMessage+1)
	for _, kind := range Kinds() {
		for name, sign := range map[string]func(Address, string) (string, error){"Sign": k.Sign, "SignFull": k.SignFull} {
			if _, err := sign(k.Address(Mainnet, kind), long); !errors.Is(err, ErrSignature) {
				t.Errorf("%s %s: a message too long: %v", name, kind, err)
			}
			if _, err := sign(Address{}, "m"); !errors.Is(err, ErrAddress) {
				t.Errorf("%s: no account: %v", name, err)
			}
		}
		if err := Verify(k.Address(Mainnet, kind), long, "smp"); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: a message too long: %v", kind, err)
		}
	}
	if err := Verify(Address{}, "m", "smp"); !errors.Is(err, ErrAddress) {
		t.Errorf("no account: %v", err)
	}
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

// Two ways in which the library's base64 has more than one spelling for a signature's bytes.
func TestBase64IsStrict(t *testing.T) {
	k := testKey(t, 8)
	a := k.Address(Mainnet, P2PKH)
	sig, err := k.Sign(a, "m") // 65 bytes: the last letter before the padding holds two bits that mean nothing
	if err != nil {
		t.Fatal(err)
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := strings.IndexByte(letters, sig[86])
	for name, other := range map[string]string{
		"loose bits":    sig[:86] + letters[last+1:last+2] + "=",
		"line ends":     sig[:40] + "\r\n" + sig[40:],
		"a line end":    sig + "\n",
		"no padding":    strings.TrimRight(sig, "="),
		"URL's letters": strings.NewReplacer("+", "-", "/", "_").Replace(sig),
	} {
		if other == sig {
			continue
		}
		if err := Verify(a, "m", other); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		raw, err := base64.StdEncoding.DecodeString(other)
		if control := name != "no padding" && name != "URL's letters"; control && (err != nil || verifyCompact(a, "m", raw) != nil) {
			t.Errorf("control: %s: the library refuses them itself, so this test shows nothing", name)
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
	account := addressOf(Mainnet, P2PKH, hash)
	output, err := account.script()
	if err != nil {
		t.Fatal(err)
	}
	spend, err := toSpend(output, message)
	if err != nil {
		t.Fatal(err)
	}
	tx := toSign(spend)
	if tx.TxIn[0].SignatureScript, err = txscript.SignatureScript(tx, 0, output, txscript.SigHashAll, w.PrivKey, false); err != nil {
		t.Fatal(err)
	}
	if err := Verify(account, message, full(appendTransaction(nil, tx))); err != nil {
		t.Errorf("in full: %v", err)
	}
	if Verify(addressOf(Mainnet, P2WPKH, hash), message, sig) == nil {
		t.Error("a witness program of an uncompressed key passes")
	}
}
