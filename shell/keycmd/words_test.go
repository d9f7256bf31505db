package keycmd

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const (
	abandoned = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
	sausages  = "legal winner thank year wave sausage worth useful legal winner thank yellow"
)

// The accounts are those of BIP-84, BIP-86 and BIP-49; the one of BIP-44 is what wallets show for these words.
func TestWordsRestoreTheAccountThatAWalletShows(t *testing.T) {
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{nil, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"},
		{[]string{"--kind", "p2tr"}, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"},
		{[]string{"--kind", "p2sh-p2wpkh", "--network", "testnet"}, "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"},
		{[]string{"--kind", "p2pkh"}, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"},
		{[]string{"--path", "m/84'/0'/0'/0/1"}, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"},
		{[]string{"--path", "m/86h/0h/0h/1/0"}, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"},
	} {
		p := newPerson(t)
		if got := p.gets(abandoned+"\n", append([]string{"new", "--import"}, c.flags...)...); got != c.want {
			t.Errorf("%q: %s, want %s", c.flags, got, c.want)
		}
		if got := p.gets("", "words"); got != abandoned {
			t.Errorf("the words are now %q", got)
		}
	}
}

func TestNewWordsAreShownOnceAndThenSealed(t *testing.T) {
	p := newPerson(t)
	p.terminal, p.passwords = true, []string{"open", "open"}
	out, errOut, code := p.types("", "new", "--passphrase", "--words", "24")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	account := strings.TrimSpace(out)
	p.passwords = []string{"open"}
	words := strings.Fields(p.gets("", "words"))
	if len(words) != 24 {
		t.Fatalf("%d words", len(words))
	}
	screen := p.screen.String()
	if !strings.Contains(screen, "m/84'/0'/0'/0/0") {
		t.Errorf("the path is not shown: %q", screen)
	}
	for _, w := range words {
		if !slices.Contains(strings.Fields(screen), w) {
			t.Errorf("the screen does not show %q", w)
		}
	}
	if strings.Contains(out+errOut, strings.Join(words, " ")) || strings.Contains(errOut, " 24 ") {
		t.Errorf("the words went where a file catches them: %q %q", out, errOut)
	}
	p.passwords = []string{"shut"}
	p.fails(1, "passphrase", "", "words")
	p.passwords = []string{"open"}
	p.screen.Reset()
	if p.gets("", "address") != account || p.screen.Len() > 0 {
		t.Errorf("shown again: %q", &p.screen)
	}

	other := newPerson(t)
	if got := other.gets(strings.ToUpper(strings.Join(words, "\n")), "new", "--import"); got != account {
		t.Errorf("restored as %s, want %s", got, account)
	}
	if other.screen.Len() > 0 {
		t.Error("words that the person brought are shown")
	}
}

func TestWithoutATerminalNoWordIsPrinted(t *testing.T) {
	p := newPerson(t)
	out, errOut, _ := p.types("", "new", "--json")
	if !strings.Contains(errOut, "decenter key words\n") {
		t.Errorf("stderr %q does not say how to see the words", errOut)
	}
	for path, hint := range map[string]string{p.home + "/second": p.home + "/second", p.home + "/my key": "'" + p.home + "/my key'"} {
		if _, errOut, _ := p.types("", "new", "--out", path); !strings.HasSuffix(errOut, "decenter key words --key "+hint+"\n") {
			t.Errorf("%s: stderr %q", path, errOut)
		}
	}
	var v wordsView
	if err := json.Unmarshal([]byte(p.gets("", "words", "--json")), &v); err != nil || len(strings.Fields(v.Words)) != 12 || v.Path != "m/84'/0'/0'/0/0" {
		t.Fatalf("%+v, %v", v, err)
	}
	if strings.Contains(out+errOut, v.Words) {
		t.Error("the words are printed")
	}
}

func TestWhatCannotBeImportedIsTold(t *testing.T) {
	p := newPerson(t)
	p.fails(2, "word 6 is not in the English list", strings.Replace(sausages, "sausage", "saussage", 1), "new", "--import")
	p.fails(2, "their checksum is another", strings.Replace(sausages, "sausage", "legal", 1), "new", "--import")
	p.fails(2, "there are 11 words", strings.TrimPrefix(sausages, "legal "), "new", "--import")
	p.fails(2, "or give 12 to 24 BIP-39 words", "rubbish", "new", "--import")
	p.fails(2, "is not a path", sausages, "new", "--import", "--path", "84/0")
	p.fails(2, "cannot have 13 words", "", "new", "--words", "13")
	const wif = "KyZpNDKnfs94vbrwhJneDi77V6jF64PWPF8x5cdJb8ifgg2DUc9d" // of BIP-84
	p.fails(2, "has no path", wif, "new", "--import", "--path", "m/84'/0'/0'/0/0")
	if got := p.gets(wif, "new", "--import"); got != "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu" {
		t.Errorf("imported as %s", got)
	}
	p.fails(1, "came without words", "", "words")
}

// No command but words and export may tell a secret, whatever goes wrong.
func TestErrorsTellNoSecret(t *testing.T) {
	p := newPerson(t)
	p.gets(sausages, "new", "--import")
	wif := p.gets("", "export")
	var all bytes.Buffer
	for _, args := range [][]string{
		{"new", "--import"}, {"address"}, {"address", "--json"}, {"sign", "x"}, {"sign", "--message", "m"}, {"sign", "--statement", "x"},
		{"words", "--path"}, {"export", "x"}, {"delegate"}, {"revoke", "--every"}, {"verify", "a", "b", "c"}, {"known-hosts", "a", "b", "c", "d"},
		{"admit", "x"}, {"grant", "x", "y"}, {"ssh-config"}, {"askpass"},
	} {
		for _, stdin := range []string{sausages + " more", wif + "x", sausages, wif} {
			out, errOut, _ := p.types(stdin, args...)
			all.WriteString(out + errOut)
		}
	}
	for _, secret := range []string{"sausage", wif, wif[10:30]} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q is told: %s", secret, &all)
		}
	}
	if all.Len() == 0 || !strings.Contains(p.gets("", "words"), "sausage") {
		t.Error("the control shows nothing")
	}
}

func TestUsageFitsATerminal(t *testing.T) {
	p := newPerson(t)
	shown := p.gets("", "help")
	for _, c := range commands() {
		shown += "\n" + p.gets("", c.name, "-h")
	}
	for line := range strings.Lines(shown) {
		if n := len([]rune(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "        "))); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}
