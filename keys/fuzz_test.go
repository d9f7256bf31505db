package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

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

func FuzzFindChallenge(f *testing.F) {
	line := testChallenge(f).String()
	f.Add("\n" + line + "\nSignature: ")
	f.Add(line + "\r\n" + line)
	f.Add("decenter login 1 \ndecenter login 1 at")
	f.Fuzz(func(t *testing.T, prompt string) {
		c, err := FindChallenge(Mainnet, prompt)
		if err != nil {
			return
		}
		if !strings.Contains(prompt, c.String()) || !MentionsChallenge(prompt) {
			t.Errorf("%q was found in %q", c, prompt)
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add(Fingerprint{1}.String())
	f.Add(Fingerprint{}.String() + "=")
	f.Add("SHA256:" + strings.Repeat("/", 43))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseFingerprint(text)
		if err == nil && got.String() != text {
			t.Errorf("%q parses, but is written %q", text, got)
		}
	})
}

func FuzzAddress(f *testing.F) {
	k := testKey(f, 1)
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		for _, kind := range Kinds() {
			f.Add(k.Address(network, kind).String())
			f.Add(strings.ToUpper(k.Address(network, kind).String()))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, network := range []Network{Mainnet, Testnet, Regtest} {
			a, err := ParseAddress(network, text)
			if err != nil {
				continue
			}
			if a.String() != text || a.Kind() == 0 || a.Network() != network {
				t.Errorf("%q parses, but is %s %s, written %q", text, a.Network(), a.Kind(), a)
			}
			if _, err := a.script(); err != nil {
				t.Errorf("%q has no script: %v", text, err)
			}
		}
	})
}

func FuzzWitness(f *testing.F) {
	for _, sig := range seeds(f, simplePrefix) {
		f.Add(sig)
	}
	f.Add([]byte{2, 0, 0})
	f.Add([]byte{0xfe, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := parseWitness(raw)
		if err == nil && !bytes.Equal(appendWitness(nil, w), raw) {
			t.Errorf("%x parses, but is written %x", raw, appendWitness(nil, w))
		}
	})
}

func FuzzTransaction(f *testing.F) {
	for _, sig := range seeds(f, fullPrefix) {
		f.Add(sig)
	}
	f.Add([]byte{2, 0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := parseTransaction(raw)
		if err == nil && !bytes.Equal(appendTransaction(nil, tx), raw) {
			t.Errorf("%x parses, but is written %x", raw, appendTransaction(nil, tx))
		}
	})
}

// seeds gives the bytes of the standard's signatures of one form.
func seeds(t testing.TB, prefix string) [][]byte {
	t.Helper()
	var all [][]byte
	for _, file := range genericFiles {
		var v genericVectors
		readVectors(t, file, &v)
		for _, c := range append(v.Simple, v.Full...) {
			if rest, found := strings.CutPrefix(c.Signatures[0], prefix); found {
				raw, err := base64.StdEncoding.DecodeString(rest)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, raw)
			}
		}
	}
	return all
}

// A whole signature, as it comes from whoever wants to log in. What is accepted has one spelling.
func FuzzSignature(f *testing.F) {
	k := testKey(f, 1)
	for _, kind := range Kinds() {
		for _, sig := range everyForm(f, k, k.Address(Mainnet, kind), "m") {
			f.Add(sig)
		}
	}
	f.Fuzz(func(t *testing.T, signature string) {
		for _, kind := range Kinds() {
			err := Verify(k.Address(Mainnet, kind), "m", signature)
			if err == nil {
				body, prefix := splitPrefix(signature)
				raw, err := decodeBase64(body)
				if err != nil || prefix+base64.StdEncoding.EncodeToString(raw) != signature {
					t.Errorf("%s: %q is accepted in more than one spelling", kind, signature)
				}
			} else if !errors.Is(err, ErrSignature) {
				t.Errorf("%s: %q: %v is not a refusal", kind, signature, err)
			}
			if Verify(k.Address(Mainnet, kind), "another", signature) == nil {
				t.Errorf("%s: %q signs what nobody signed", kind, signature)
			}
		}
	})
}
