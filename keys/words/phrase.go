package words

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/tyler-smith/go-bip39"

	"decenter/keys"
)

// Counts are how many words a phrase may have.
var counts = []int{12, 15, 18, 21, 24}

// DefaultCount is of 128 bits of dice, which is as much as the curve's security.
const DefaultCount = 12

// maxPhrase bounds a phrase's text, in bytes: 24 words of at most 8 letters, and room for careless blanks.
const maxPhrase = 1024

// Phrase is a person's words. It prints as a placeholder; Words alone gives the secret away. The zero Phrase is none.
type Phrase struct {
	text string // lower case, single blanks
}

// New draws a phrase of count words from dice, which must be crypto/rand's reader in production.
func New(dice io.Reader, count int) (Phrase, error) {
	if !slices.Contains(counts, count) {
		return Phrase{}, wrong(fmt.Sprintf("a phrase cannot have %d words", count), "use 12, 15, 18, 21 or 24")
	}
	// BIP-39: each 3 words hold 32 bits and one of the checksum.
	entropy := make([]byte, count/3*4)
	defer clear(entropy)
	if _, err := io.ReadFull(dice, entropy); err != nil {
		return Phrase{}, fmt.Errorf("draw words: %w", err)
	}
	text, err := bip39.NewMnemonic(entropy)
	if err != nil {
		return Phrase{}, errors.New("draw words: the source of randomness is broken")
	}
	return Phrase{text}, nil
}

// Parse reads English words, in any case and with any blanks around them. An error says which word is wrong, but never
// what it is.
func Parse(text string) (Phrase, error) {
	if len(text) > maxPhrase {
		return Phrase{}, wrong(fmt.Sprintf("the words have more than %d characters", maxPhrase), "give 12 to 24 words, and nothing else")
	}
	list := strings.Fields(strings.ToLower(text))
	if !slices.Contains(counts, len(list)) {
		return Phrase{}, wrong(fmt.Sprintf("there are %d words", len(list)), "a phrase has 12, 15, 18, 21 or 24")
	}
	for i, word := range list {
		if _, known := bip39.GetWordIndex(word); !known {
			return Phrase{}, wrong(fmt.Sprintf("word %d is not in the English list of BIP-39", i+1), "check its spelling")
		}
	}
	joined := strings.Join(list, " ")
	if _, err := bip39.EntropyFromMnemonic(joined); err != nil {
		return Phrase{}, wrong("the words do not fit each other: their checksum is another", "check their order, and for a word taken for another")
	}
	return Phrase{joined}, nil
}

// Words gives the secret: the words with a blank between each two.
func (p Phrase) Words() string { return p.text }

// Derive gives the private key at path of the tree that grows from the words.
func (p Phrase) Derive(path Path) (keys.PrivateKey, error) {
	if p == (Phrase{}) || path == (Path{}) {
		return keys.PrivateKey{}, wrong("there are no words, or no path, to derive a key from", "")
	}
	seed := p.seed("")
	defer clear(seed)
	return derive(seed, path)
}

// seed gives BIP-39's 64 bytes. extra is the person's own passphrase, which is always empty but in the vectors.
func (p Phrase) seed(extra string) []byte { return bip39.NewSeed(p.text, extra) }

// derive walks BIP-32's tree. The network only marks how extended keys are written, which none here is.
func derive(seed []byte, path Path) (keys.PrivateKey, error) {
	node, err := hdkeychain.NewMaster(seed, &chaincfg.MainNetParams)
	if err != nil {
		return keys.PrivateKey{}, wrong("no key grows from these words", "it happens once in 2^127; make others")
	}
	for _, step := range path.steps() {
		next, err := node.Derive(step)
		node.Zero()
		if err != nil {
			return keys.PrivateKey{}, wrong(fmt.Sprintf("there is no key at %s", path), "it happens once in 2^127; use another path")
		}
		node = next
	}
	defer node.Zero()
	secret, err := node.ECPrivKey()
	if err != nil {
		return keys.PrivateKey{}, fmt.Errorf("derive the key at %s: %w", path, err)
	}
	scalar := secret.Serialize()
	defer clear(scalar)
	return keys.NewPrivateKey(bytes.NewReader(scalar))
}

const hidden = "words.Phrase(hidden)"

// String hides the secret.
func (p Phrase) String() string { return hidden }

// Format hides the secret from every verb of fmt.
func (p Phrase) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the secret.
func (p Phrase) LogValue() slog.Value { return slog.StringValue(hidden) }

func wrong(problem, hint string) error {
	return &keys.Error{Kind: keys.ErrKey, Problem: problem, Hint: hint}
}
