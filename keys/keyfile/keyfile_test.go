package keyfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"decenter/keys"
	"decenter/keys/words"
)

// cheap is scrypt's least cost, for tests.
const cheap = 1

func testKey(t testing.TB) Key {
	t.Helper()
	secret, err := keys.NewPrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Key{Account: secret.Address(keys.Mainnet, keys.P2WPKH), Secret: secret}
}

func TestAKeyGoesToAFileAndBack(t *testing.T) {
	k := testKey(t)
	path := filepath.Join(t.TempDir(), "new", "folder", "key")
	if err := WriteFile(path, k.Append(nil)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != Mode {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	got, err := ReadFile(path, nil)
	if err != nil || got.Account != k.Account || got.Secret.WIF(keys.Mainnet) != k.Secret.WIF(keys.Mainnet) {
		t.Errorf("got %v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAKeyIsNeverReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	old := testKey(t)
	if err := WriteFile(path, old.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, testKey(t).Append(nil)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that it exists", err)
	}
	if got, err := ReadFile(path, nil); err != nil || got.Account != old.Account {
		t.Errorf("the old key is %v, %v", got.Account, err)
	}
}

func TestAFileThatOthersCanTouchIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := WriteFile(path, testKey(t).Append(nil)); err != nil {
		t.Fatal(err)
	}
	for mode, wanted := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o700: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path, nil)
		if (err == nil) != wanted {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && !strings.Contains(err.Error(), "chmod 0600") {
			t.Errorf("mode %04o: %v does not say what to do", mode, err)
		}
	}
}

// DECENTER_KEY=/etc/passwd: to be told chmod, as root, would be to lock everybody out.
func TestOfAnotherFileNoModeIsAdvised(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	for text, key := range map[string]bool{"root:x:0:0:root:/root:/bin/bash\n": false, "": false, "decenter-key 3\n": true, "decenter-key 1\ncut off": true} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path, nil)
		if err == nil || strings.Contains(err.Error(), "chmod") != key || strings.Contains(err.Error(), "no key file") == key {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAPassphraseGuardsTheKey(t *testing.T) {
	k := testKey(t)
	text, err := k.Encrypt("correct horse", cheap)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(k.Secret.WIF(keys.Mainnet))) || !bytes.Contains(k.Append(nil), []byte(k.Secret.WIF(keys.Mainnet))) {
		t.Error("the secret shows, or the control does not")
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := WriteFile(path, text); err != nil {
		t.Fatal(err)
	}
	ask := func(answer string) func() (string, error) {
		return func() (string, error) { return answer, nil }
	}
	if got, err := ReadFile(path, ask("correct horse")); err != nil || got.Account != k.Account {
		t.Errorf("got %v, %v", got.Account, err)
	}
	for _, wrong := range []func() (string, error){ask("wrong"), ask(""), nil} {
		if _, err := ReadFile(path, wrong); !errors.Is(err, ErrPassphrase) {
			t.Errorf("got %v, want ErrPassphrase", err)
		}
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	k, other := testKey(t), testKey(t)
	text := string(k.Append(nil))
	for name, bad := range map[string]string{
		"an unknown version": strings.Replace(text, "key 1", "key 3", 1),
		"the other version":  strings.Replace(text, "key 1", "key 2", 1),
		"another's account":  strings.Replace(text, k.Account.String(), other.Account.String(), 1),
		"another network":    strings.Replace(text, "mainnet", "testnet", 1),
		"a line more":        text + "\n",
		"no last line end":   strings.TrimSuffix(text, "\n"),
		"carriage returns":   strings.ReplaceAll(text, "\n", "\r\n"),
		"cut off":            text[:40],
		"empty":              "",
		"an OpenSSH key":     "-----BEGIN OPENSSH PRIVATE KEY-----\n",
		"lines in disorder":  strings.Replace(text, "account", "secret", 1),
		"a blank in between": strings.Replace(text, "secret ", "secret  ", 1),
	} {
		_, err := Parse([]byte(bad))
		if !errors.Is(err, keys.ErrKey) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		if err != nil && strings.Contains(err.Error(), k.Secret.WIF(keys.Mainnet)) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
}

// sausages is a phrase of BIP-39's vectors; no word of it is in anything that we print.
const sausages = "legal winner thank year wave sausage worth useful legal winner thank yellow"

func wordKey(t testing.TB, network keys.Network, kind keys.Kind) Key {
	t.Helper()
	phrase, err := words.Parse(sausages)
	if err != nil {
		t.Fatal(err)
	}
	k, err := FromWords(network, kind, phrase, words.DefaultPath(network, kind))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWordsGoToAFileAndBack(t *testing.T) {
	for _, kind := range keys.Kinds() {
		for _, network := range []keys.Network{keys.Mainnet, keys.Testnet, keys.Regtest} {
			k := wordKey(t, network, kind)
			text, err := k.Encrypt("p", cheap)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("sausage")) || !bytes.Contains(k.Append(nil), []byte("sausage")) {
				t.Error("a word shows, or the control does not")
			}
			got, err := Decrypt(text, "p")
			if err != nil || got.Account != k.Account || got.Phrase != k.Phrase || got.Path != k.Path ||
				got.Secret.WIF(network) != k.Secret.WIF(network) {
				t.Errorf("%s, %s: got %v, %v", network, kind, got, err)
			}
		}
	}
}

func TestBadFilesOfWordsAreRefused(t *testing.T) {
	k := wordKey(t, keys.Mainnet, keys.P2TR)
	text := string(k.Append(nil))
	const zoo = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"
	for name, bad := range map[string]string{
		"another's words":   strings.Replace(text, sausages, zoo, 1),
		"another's account": strings.Replace(text, k.Account.String(), testKey(t).Account.String(), 1),
		"another path":      strings.Replace(text, "0/0\n", "0/1\n", 1),
		"another spelling":  strings.Replace(text, "m/86'", "m/86h", 1),
		"upper case":        strings.Replace(text, sausages, strings.ToUpper(sausages), 1),
		"a word less":       text[:strings.LastIndex(text, " ")] + "\n",
		"no words":          text[:strings.Index(text, "words")],
		"the other version": strings.Replace(text, "key 2", "key 1", 1),
	} {
		_, err := Parse([]byte(bad))
		if !errors.Is(err, keys.ErrKey) {
			t.Errorf("%s: got %v, want a refusal", name, err)
			continue
		}
		for _, word := range append(strings.Fields(sausages), "zoo") {
			if strings.Contains(strings.ToLower(err.Error()), word) {
				t.Errorf("%s: the error tells the word %q: %v", name, word, err)
			}
		}
	}
	if _, err := Parse([]byte(text)); err != nil { // control
		t.Error(err)
	}
}

func TestAKeyPrintsAsItsAccount(t *testing.T) {
	k := wordKey(t, keys.Mainnet, keys.P2WPKH)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "key", k)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
		fmt.Fprintf(&log, verb+" "+verb+"\n", k, []Key{k})
	}
	if strings.Contains(log.String(), "sausage") || strings.Contains(log.String(), k.Secret.WIF(keys.Mainnet)) || !strings.Contains(log.String(), k.Account.String()) {
		t.Error(log.String())
	}
}

func FuzzParse(f *testing.F) {
	f.Add(testKey(f).Append(nil))
	f.Add(wordKey(f, keys.Regtest, keys.P2SHP2WPKH).Append(nil))
	f.Add([]byte("decenter-key 1\nnetwork regtest\naccount x\nsecret y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := Parse(text)
		if err == nil && !bytes.Equal(k.Append(nil), text) {
			t.Errorf("%q parses, but is written otherwise", text)
		}
	})
}
