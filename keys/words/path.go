package words

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"decenter/keys"
)

// maxDepth bounds a path; wallets use 5 steps, and BIP-32 cannot count beyond 255.
const maxDepth = 10

// Path is the way through BIP-32's tree from its root to a key, such as m/84'/0'/0'/0/0. Two Paths are equal (==)
// exactly when their texts are. The zero Path is none.
type Path struct {
	text string // as ParsePath checked it
}

// purposes are the first step of the kinds' paths, hardened (BIP-43).
var purposes = map[keys.Kind]uint32{keys.P2PKH: 44, keys.P2SHP2WPKH: 49, keys.P2WPKH: 84, keys.P2TR: 86}

// DefaultPath is where a wallet has the first receiving address of its first account of that kind.
func DefaultPath(network keys.Network, kind keys.Kind) Path {
	coin := 0
	if network != keys.Mainnet {
		coin = 1
	}
	return Path{fmt.Sprintf("m/%d'/%d'/0'/0/0", purposes[kind], coin)}
}

// ParsePath reads a path: "m", then steps such as /0 or, hardened, /0' (which some write 0h).
func ParsePath(text string) (Path, error) {
	rest, found := strings.CutPrefix(text, "m/")
	words := strings.Split(rest, "/")
	if !found || len(words) > maxDepth {
		return Path{}, wrongPath(text)
	}
	b := []byte("m")
	for _, word := range words {
		number, hard := word, false
		if n := len(word) - 1; n > 0 && strings.ContainsRune("'hH", rune(word[n])) {
			number, hard = word[:n], true
		}
		step, err := strconv.ParseUint(number, 10, 31)
		if err != nil || strconv.FormatUint(step, 10) != number {
			return Path{}, wrongPath(text)
		}
		b = append(append(b, '/'), number...)
		if hard {
			b = append(b, '\'')
		}
	}
	return Path{string(b)}, nil
}

func wrongPath(text string) error {
	return wrong(fmt.Sprintf("%.100q is not a path", text), fmt.Sprintf("use one such as m/84'/0'/0'/0/0, of at most %d steps", maxDepth))
}

// Kind tells which kind of account its first step stands for; 0 where it stands for none.
func (p Path) Kind() keys.Kind {
	steps := p.steps()
	for kind, purpose := range purposes {
		if len(steps) > 0 && steps[0] == purpose+hdkeychain.HardenedKeyStart {
			return kind
		}
	}
	return 0
}

// String gives the path with an apostrophe for hardened steps; empty for the zero Path.
func (p Path) String() string { return p.text }

// steps gives the numbers of the children to take.
func (p Path) steps() []uint32 {
	var steps []uint32
	for word := range strings.SplitSeq(strings.TrimPrefix(p.text, "m/"), "/") {
		number, hard := strings.CutSuffix(word, "'")
		step, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil // the zero Path
		}
		if hard {
			step += hdkeychain.HardenedKeyStart
		}
		steps = append(steps, uint32(step))
	}
	return steps
}
