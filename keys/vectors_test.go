package keys

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
)

// bip322Vectors is the shape of both files of the BIP.
type bip322Vectors struct {
	Hashes []struct {
		Message, Address string
		MessageHash      string `json:"message_hash"`
		ToSpend          string `json:"to_spend_tx_hash"`
		ToSign           string `json:"to_sign_tx_hash"`
	} `json:"tx_hashes"`
	Simple, Full []struct {
		Message, Address, Type string
		PrivateKeys            []string `json:"private_keys"`
		Signatures             []string `json:"bip322_signatures"`
	}
	Error []struct{ Description, Message, Address, Signature string }
}

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

func TestBIP322VirtualTransactionsAreTheStandards(t *testing.T) {
	var v bip322Vectors
	readVectors(t, "bip322-basic.json", &v)
	if len(v.Hashes) == 0 {
		t.Fatal("no vectors")
	}
	for _, c := range v.Hashes {
		a, err := ParseAddress(Mainnet, c.Address)
		if err != nil {
			t.Fatal(err)
		}
		hash := chainhash.TaggedHash([]byte(messageTag), []byte(c.Message))
		if got := hex.EncodeToString(hash[:]); got != c.MessageHash {
			t.Errorf("message %q: hash %s, want %s", c.Message, got, c.MessageHash)
		}
		script, err := a.script()
		if err != nil {
			t.Fatal(err)
		}
		spend, err := toSpend(script, c.Message)
		if err != nil {
			t.Fatal(err)
		}
		if got := spend.TxHash().String(); got != c.ToSpend {
			t.Errorf("message %q: to_spend %s, want %s", c.Message, got, c.ToSpend)
		}
		if got := toSign(spend).TxHash().String(); got != c.ToSign {
			t.Errorf("message %q: to_sign %s, want %s", c.Message, got, c.ToSign)
		}
	}
}

func TestBIP322SimpleVectors(t *testing.T) {
	for _, file := range []string{"bip322-basic.json", "bip322-generated.json"} {
		var v bip322Vectors
		readVectors(t, file, &v)
		judged := 0
		for _, c := range v.Simple {
			a, err := ParseAddress(Mainnet, c.Address)
			if c.Type != "p2wpkh" {
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			for _, s := range c.Signatures {
				judged++
				for _, form := range []string{s, strings.TrimPrefix(s, "smp")} {
					if err := Verify(a, c.Message, form); err != nil {
						t.Errorf("%s: message %q, signature %s: %v", file, c.Message, form, err)
					}
					if Verify(a, c.Message+" ", form) == nil {
						t.Errorf("%s: the signature of %q also passes for another message", file, c.Message)
					}
				}
			}
			checkSigner(t, a, c.Message, c.PrivateKeys[0], c.Signatures)
		}
		if judged == 0 {
			t.Errorf("%s: no vector was judged", file)
		}
		for _, c := range v.Error {
			a, err := ParseAddress(Mainnet, c.Address)
			if err != nil {
				continue // refused already for its account's kind
			}
			if Verify(a, c.Message, c.Signature) == nil {
				t.Errorf("%s: accepted: %s", file, c.Description)
			}
		}
	}
}

// checkSigner signs what the vector's author signed. Signers differ in how they draw their nonce, so ours must
// be among the published signatures only where two are published; it must verify always.
func checkSigner(t *testing.T, a Address, message, wif string, published []string) {
	t.Helper()
	k, err := ParseWIF(Mainnet, wif)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Sign(a, message)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(a, message, got); err != nil {
		t.Errorf("our own signature of %q: %v", message, err)
	}
	if len(published) < 2 {
		return
	}
	for _, s := range published {
		if s == got {
			return
		}
	}
	t.Errorf("our signature of %q is %s, none of the published", message, got)
}

func TestFullFormsAreRefusedByName(t *testing.T) {
	var v bip322Vectors
	readVectors(t, "bip322-generated.json", &v)
	for _, c := range v.Full {
		a, err := ParseAddress(Mainnet, c.Address)
		if err != nil {
			continue
		}
		err = Verify(a, c.Message, c.Signatures[0])
		if err == nil || !strings.Contains(err.Error(), `"ful"`) {
			t.Errorf("%s: got %v, want a refusal that names the form", c.Type, err)
		}
	}
}

func TestBIP137Vectors(t *testing.T) {
	var vectors []struct{ Source, Network, Key, Address, Message, Signature string }
	readVectors(t, "bip137.json", &vectors)
	for _, v := range vectors {
		network, err := ParseNetwork(v.Network)
		if err != nil {
			t.Fatal(err)
		}
		a, err := ParseAddress(network, v.Address)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(a, v.Message, v.Signature); err != nil {
			t.Errorf("%s: %v", v.Source, err)
		}
		if Verify(a, v.Message+".", v.Signature) == nil {
			t.Errorf("%s: passes for another message", v.Source)
		}
		if v.Key == "" {
			continue
		}
		k, err := ParseWIF(network, v.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Sign(a, v.Message); err != nil || got != v.Signature {
			t.Errorf("%s: we sign %s (%v), want %s", v.Source, got, err, v.Signature)
		}
	}
}
