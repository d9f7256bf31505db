package words

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"decenter/keys"
)

func readVectors(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func TestBIP39Vectors(t *testing.T) {
	var v struct{ English [][]string }
	readVectors(t, "bip39.json", &v)
	if len(v.English) < 24 {
		t.Fatalf("%d vectors", len(v.English))
	}
	for _, c := range v.English {
		dice, err := hex.DecodeString(c[0])
		if err != nil {
			t.Fatal(err)
		}
		made, err := New(bytes.NewReader(dice), len(strings.Fields(c[1])))
		if err != nil || made.Words() != c[1] {
			t.Errorf("dice %s give %q, %v; want %q", c[0], made.Words(), err, c[1])
		}
		read, err := Parse("  " + strings.ToUpper(strings.ReplaceAll(c[1], " ", "\n\t ")) + "\n")
		if err != nil || read != made {
			t.Errorf("%q is read as %q, %v", c[1], read.Words(), err)
		}
		if got := hex.EncodeToString(made.seed("TREZOR")); got != c[2] {
			t.Errorf("%q: seed %s, want %s", c[1], got, c[2])
		}
		// The fourth column is the root of the tree.
		root, err := hdkeychain.NewKeyFromString(c[3])
		if err != nil {
			t.Fatal(err)
		}
		want, err := root.Derive(0)
		if err != nil {
			t.Fatal(err)
		}
		if got := scalar(t, made.seed("TREZOR"), "m/0"); got != scalarOf(t, want) {
			t.Errorf("%q: the first child is another", c[1])
		}
	}
}

func TestBIP32Vectors(t *testing.T) {
	var vectors []struct {
		Source, Seed string
		Private      map[string]string
	}
	readVectors(t, "bip32.json", &vectors)
	judged := 0
	for _, v := range vectors {
		seed, err := hex.DecodeString(v.Seed)
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range v.Private {
			want, err := hdkeychain.NewKeyFromString(text)
			if err != nil {
				t.Fatal(err)
			}
			judged++
			if got := scalar(t, seed, path); got != scalarOf(t, want) {
				t.Errorf("%s: another key at %s", v.Source, path)
			}
		}
	}
	if judged == 0 {
		t.Error("no vector was judged")
	}
}

// scalar gives the private key at path as text.
func scalar(t *testing.T, seed []byte, path string) string {
	t.Helper()
	p, err := ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := derive(seed, p)
	if err != nil {
		t.Fatal(err)
	}
	return secret.WIF(keys.Mainnet)
}

func scalarOf(t *testing.T, k *hdkeychain.ExtendedKey) string {
	t.Helper()
	private, err := k.ECPrivKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keys.NewPrivateKey(bytes.NewReader(private.Serialize()))
	if err != nil {
		t.Fatal(err)
	}
	return secret.WIF(keys.Mainnet)
}

// derivation is a published account of known words.
type derivation struct {
	Source, Words, Network, Kind, Path, WIF, Address string
	First                                            bool // it is the one that we choose
}

func TestAccountsAreTheOnesThatAWalletShows(t *testing.T) {
	var vectors []derivation
	readVectors(t, "derivation.json", &vectors)
	for _, v := range vectors {
		t.Run(v.Source, func(t *testing.T) { v.judge(t) })
	}
}

func (v derivation) judge(t *testing.T) {
	phrase, err := Parse(v.Words)
	if err != nil {
		t.Fatal(err)
	}
	network, err := keys.ParseNetwork(v.Network)
	if err != nil {
		t.Fatal(err)
	}
	kind, err := keys.ParseKind(v.Kind)
	if err != nil {
		t.Fatal(err)
	}
	path, err := ParsePath(v.Path)
	if err != nil {
		t.Fatal(err)
	}
	if got := DefaultPath(network, kind); (got == path) != v.First {
		t.Errorf("the default path is %s", got)
	}
	if got := path.Kind(); got != kind {
		t.Errorf("%s stands for %s", path, got)
	}
	secret, err := phrase.Derive(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := secret.Address(network, kind).String(); got != v.Address {
		t.Errorf("account %s, want %s", got, v.Address)
	}
	if v.WIF != "" && secret.WIF(network) != v.WIF {
		t.Errorf("another secret than %s", v.WIF)
	}
}

func TestMistypedWordsAreToldByTheirPlace(t *testing.T) {
	good := strings.Fields("legal winner thank year wave sausage worth useful legal winner thank yellow")
	change := func(i int, word string) string {
		other := slices.Clone(good)
		other[i] = word
		return strings.Join(other, " ")
	}
	for reason, text := range map[string]string{
		"there are 11 words":      strings.Join(good[1:], " "),
		"there are 0 words":       "",
		"word 3 is not":           change(2, "thanx"),
		"checksum is another":     change(0, "winner"),
		"more than 1024 characte": strings.Repeat("legal ", 1000),
	} {
		_, err := Parse(text)
		if !errors.Is(err, keys.ErrKey) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: got %v, want %q", text, err, reason)
		}
		for _, word := range append(good, "thanx") {
			if err != nil && strings.Contains(err.Error(), word) {
				t.Errorf("the error tells the word %q: %v", word, err)
			}
		}
	}
	if _, err := New(rand.Reader, 13); err == nil {
		t.Error("13 words are drawn")
	}
	if _, err := New(bytes.NewReader(make([]byte, 15)), 12); err == nil {
		t.Error("words are drawn from dice that ran out")
	}
}

func TestWordsAreNeverPrinted(t *testing.T) {
	p, err := Parse("legal winner thank year wave sausage worth useful legal winner thank yellow")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("made", "phrase", p)
	logger.Info("made", "in a struct", struct{ P Phrase }{p})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb, p)
		fmt.Fprintf(&log, verb, struct{ P Phrase }{p})
		fmt.Fprintf(&log, verb, []Phrase{p})
	}
	b, err := json.Marshal(map[string]any{"phrase": p})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(b)
	for _, secret := range []string{"sausage", hex.EncodeToString([]byte("sausage"))} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in %s", secret, &log)
		}
	}
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		"m/84'/0'/0'/0/0": "m/84'/0'/0'/0/0", "m/84h/0H/0'/0/0": "m/84'/0'/0'/0/0", "m/0": "m/0", "m/2147483647'": "m/2147483647'",
		"m": "", "": "", "m/": "", "/0": "", "m//0": "", "m/00": "", "m/2147483648": "", "m/-1": "", "m/+1": "", "m/'": "", "m/1''": "",
		"m/0/0/0/0/0/0/0/0/0/0": "m/0/0/0/0/0/0/0/0/0/0", "m/0/0/0/0/0/0/0/0/0/0/0": "", "M/0": "", "m/0 ": "",
	} {
		p, err := ParsePath(text)
		if p.String() != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v", text, p, err)
		}
	}
	for _, k := range keys.Kinds() {
		if got := DefaultPath(keys.Regtest, k); got.Kind() != k || !strings.Contains(got.String(), "'/1'/0'/0/0") {
			t.Errorf("%s: %s, which stands for %s", k, got, got.Kind())
		}
	}
	if got := (Path{}).Kind(); got != 0 {
		t.Errorf("no path stands for %s", got)
	}
	if _, err := (Phrase{}).Derive(DefaultPath(keys.Mainnet, keys.P2TR)); err == nil {
		t.Error("a key grows from no words")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about", "m/84'/0'/0'/0/0")
	f.Add("zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong", "m/0h/1")
	f.Add("", "m")
	f.Fuzz(func(t *testing.T, text, path string) {
		if p, err := Parse(text); err == nil {
			if again, err := Parse(p.Words()); err != nil || again != p {
				t.Errorf("%q does not read back: %v", text, err)
			}
		}
		if p, err := ParsePath(path); err == nil {
			again, err := ParsePath(p.String())
			if err != nil || again != p || len(p.steps()) != strings.Count(p.String(), "/") {
				t.Errorf("%q does not read back: %v", path, err)
			}
		}
	})
}
