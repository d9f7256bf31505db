package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// genericVector is one signature of the BIP's files.
type genericVector struct {
	Message, Address, Type string
	PrivateKeys            []string `json:"private_keys"`
	Signatures             []string `json:"bip322_signatures"`
}

// genericVectors is the shape of both files of the BIP.
type genericVectors struct {
	Hashes []struct {
		Message, Address string
		MessageHash      string `json:"message_hash"`
		ToSpend          string `json:"to_spend_tx_hash"`
		ToSign           string `json:"to_sign_tx_hash"`
	} `json:"tx_hashes"`
	Simple, Full []genericVector
	Funds        []genericVector `json:"proof_of_funds"`
	Error        []struct {
		Description, Message, Address, Signature string
		Reason                                   string `json:"error_substr"`
	}
}

var genericFiles = []string{"bip322-basic.json", "bip322-generated.json"}

func readVectors(t testing.TB, file string, into any) {
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
	var v genericVectors
	readVectors(t, "bip322-basic.json", &v)
	if len(v.Hashes) == 0 {
		t.Fatal("no vectors")
	}
	for _, c := range v.Hashes {
		hash := chainhash.TaggedHash([]byte(messageTag), []byte(c.Message))
		if got := hex.EncodeToString(hash[:]); got != c.MessageHash {
			t.Errorf("message %q: hash %s, want %s", c.Message, got, c.MessageHash)
		}
		spend, err := toSpend(scriptOf(t, c.Address), c.Message)
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

// scriptOf gives the script of any address, also of one that is no account here.
func scriptOf(t testing.TB, address string) []byte {
	t.Helper()
	d, err := btcutil.DecodeAddress(address, Mainnet.params())
	if err != nil {
		t.Fatal(err)
	}
	script, err := txscript.PayToAddrScript(d)
	if err != nil {
		t.Fatal(err)
	}
	return script
}

// judge is Verify for scripts of every kind: the same readers, engine and rules, without what makes an account one
// of a single key. With it each of the standard's vectors can be judged.
func judge(script []byte, message, signature string) error {
	if signature == "" {
		return refuse("the signature is empty")
	}
	body, prefix := splitPrefix(signature)
	raw, err := decodeBase64(body)
	if err != nil {
		return err
	}
	if prefix == fundsPrefix {
		return judgeFunds(script, message, raw)
	}
	tx, err := readProof(script, message, prefix, raw)
	if err != nil {
		return err
	}
	return execute(script, tx, 0, spent(script), 0)
}

// judgeFunds judges a proof of funds: every input must satisfy the output that it names.
func judgeFunds(script []byte, message string, raw []byte) error {
	p, err := readPSBT(raw)
	if err != nil {
		return err
	}
	spend, err := toSpend(script, message)
	if err != nil {
		return err
	}
	if err := checkToSign(p.tx, spend); err != nil {
		return err
	}
	p.outputs[p.tx.TxIn[0].PreviousOutPoint] = spend.TxOut[0]
	for i, in := range p.tx.TxIn {
		out := p.outputs[in.PreviousOutPoint]
		if out == nil {
			return refuse("input %d spends an output that is not told", i)
		}
		if err := execute(out.PkScript, p.tx, i, txscript.NewMultiPrevOutFetcher(p.outputs), out.Value); err != nil {
			return err
		}
	}
	return nil
}

// Every valid vector of the standard satisfies engine and rules, whatever its script; those of accounts pass Verify,
// and only those.
func TestBIP322ValidVectors(t *testing.T) {
	judged := map[string]int{}
	for _, file := range genericFiles {
		var v genericVectors
		readVectors(t, file, &v)
		for form, list := range map[string][]genericVector{simplePrefix: v.Simple, fullPrefix: v.Full, fundsPrefix: v.Funds} {
			for _, c := range list {
				for _, s := range c.Signatures {
					judged[form]++
					checkValid(t, c, s)
				}
			}
		}
	}
	t.Logf("judged: %d simple, %d full, %d proofs of funds", judged[simplePrefix], judged[fullPrefix], judged[fundsPrefix])
	if judged[simplePrefix] < 10 || judged[fullPrefix] < 10 || judged[fundsPrefix] < 3 {
		t.Error("vectors are missing")
	}
}

func checkValid(t *testing.T, c genericVector, signature string) {
	t.Helper()
	script := scriptOf(t, c.Address)
	for _, form := range []string{signature, strings.TrimPrefix(signature, simplePrefix)} {
		if err := judge(script, c.Message, form); err != nil {
			t.Errorf("%s, message %q, signature %s: %v", c.Type, c.Message, form, err)
		}
		if judge(script, c.Message+" ", form) == nil {
			t.Errorf("%s: the signature of %q also passes for another message", c.Type, c.Message)
		}
	}
	account, err := ParseAddress(Mainnet, c.Address)
	if err == nil {
		err = Verify(account, c.Message, signature)
	}
	kind, unknown := ParseKind(c.Type)
	switch {
	case unknown != nil || strings.HasPrefix(signature, fundsPrefix):
		if err == nil {
			t.Errorf("%s: passes as the signature of an account", c.Type)
		}
		t.Logf("no account's: %s, %.3s: %v", c.Type, signature, err)
	case err != nil:
		t.Errorf("%s, message %q: %v", c.Type, c.Message, err)
	case account.Kind() != kind:
		t.Errorf("%s is an account of kind %s", c.Address, account.Kind())
	default:
		checkSigner(t, account, c, signature)
	}
}

// checkSigner signs what the vector's author signed. Signers differ in how they draw their nonce, so ours must
// be among the published signatures only where two are published; it must verify always.
func checkSigner(t *testing.T, account Address, c genericVector, published string) {
	t.Helper()
	k, err := ParseWIF(Mainnet, c.PrivateKeys[0])
	if err != nil {
		t.Fatal(err)
	}
	sign := k.Sign
	if strings.HasPrefix(published, fullPrefix) {
		sign = k.SignFull
	}
	got, err := sign(account, c.Message)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(account, c.Message, got); err != nil {
		t.Errorf("our own signature of %q: %v", c.Message, err)
	}
	if len(c.Signatures) > 1 && !slices.Contains(c.Signatures, got) {
		t.Errorf("our signature of %q is %s, none of the published", c.Message, got)
	}
}

// Every invalid vector is refused, for the reason that the standard's authors name.
func TestBIP322InvalidVectors(t *testing.T) {
	reasons := map[string][]string{ // theirs, and ours for it
		"base64":                                  {"not base64"},
		"error decoding signature as base64":      {"not base64"},
		"signature too short":                     {"empty"},
		"error parsing signature as full variant": {"not base64", "transaction", "another message"},
		"invalid signature":                       {"not one of account", "another message or another account", "not a witness of", "witness program"},
	}
	judged := 0
	for _, file := range genericFiles {
		var v genericVectors
		readVectors(t, file, &v)
		for _, c := range v.Error {
			judged++
			if judge(scriptOf(t, c.Address), c.Message, c.Signature) == nil {
				t.Errorf("%s: engine and rules accept it", c.Description)
			}
			account, err := ParseAddress(Mainnet, c.Address)
			if err != nil {
				if !errors.Is(err, ErrAddress) {
					t.Errorf("%s: %v", c.Description, err)
				}
				continue // a witness script's address
			}
			err = Verify(account, c.Message, c.Signature)
			if !errors.Is(err, ErrSignature) {
				t.Errorf("accepted: %s: %v", c.Description, err)
				continue
			}
			if !slices.ContainsFunc(reasons[c.Reason], func(want string) bool { return strings.Contains(err.Error(), want) }) {
				t.Errorf("%s: refused because %q, and the vector says %q", c.Description, err, c.Reason)
			}
			t.Logf("%s: %v", c.Description, err)
		}
	}
	if judged < 36 {
		t.Errorf("only %d vectors", judged)
	}
}

type compactVector struct{ Source, Network, Key, Address, Message, Signature, Theirs, Ours string }

func TestBIP137Vectors(t *testing.T) {
	var vectors struct{ Valid, Invalid []compactVector }
	readVectors(t, "bip137.json", &vectors)
	for _, v := range vectors.Valid {
		network, account, err := v.account()
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(account, v.Message, v.Signature); err != nil {
			t.Errorf("%s: %v", v.Source, err)
		}
		if Verify(account, v.Message+".", v.Signature) == nil {
			t.Errorf("%s: passes for another message", v.Source)
		}
		if v.Key == "" {
			continue
		}
		k, err := ParseWIF(network, v.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Sign(account, v.Message); err != nil || got != v.Signature {
			t.Errorf("%s: we sign %s (%v), want %s", v.Source, got, err, v.Signature)
		}
		// Core's verifier knows p2pkh alone; we also take the key's witness accounts, as Electrum does.
		for _, kind := range []Kind{P2SHP2WPKH, P2WPKH} {
			if err := Verify(k.Address(network, kind), v.Message, v.Signature); err != nil {
				t.Errorf("%s, for the key's %s: %v", v.Source, kind, err)
			}
		}
		if err := Verify(k.Address(network, P2TR), v.Message, v.Signature); err == nil || !strings.Contains(err.Error(), "no BIP-137") {
			t.Errorf("%s, for the key's p2tr: got %v, want a refusal", v.Source, err)
		}
	}
	for _, v := range vectors.Invalid {
		_, account, err := v.account()
		if err == nil {
			err = Verify(account, v.Message, v.Signature)
		}
		if err == nil || !strings.Contains(err.Error(), v.Ours) {
			t.Errorf("%s, %s: got %v, want a refusal with %q", v.Source, v.Theirs, err, v.Ours)
		}
	}
	if len(vectors.Valid) < 8 || len(vectors.Invalid) < 10 {
		t.Error("vectors are missing")
	}
}

func (v compactVector) account() (Network, Address, error) {
	network, err := ParseNetwork(v.Network)
	if err != nil {
		return 0, Address{}, err
	}
	account, err := ParseAddress(network, v.Address)
	return network, account, err
}

// funds is what a finalized PSBT (BIP-174) of a proof of funds says.
type funds struct {
	tx      *wire.MsgTx // with what satisfies its inputs
	outputs map[wire.OutPoint]*wire.TxOut
}

// readPSBT reads as much of BIP-174 as the vectors need, and trusts what it reads to be well formed.
func readPSBT(raw []byte) (*funds, error) {
	rest, found := bytes.CutPrefix(raw, []byte("psbt\xff"))
	if !found {
		return nil, refuse("not a PSBT")
	}
	r := bytes.NewReader(rest)
	global, err := readMap(r)
	if err != nil {
		return nil, err
	}
	p := &funds{tx: &wire.MsgTx{}, outputs: map[wire.OutPoint]*wire.TxOut{}}
	if err := p.tx.DeserializeNoWitness(bytes.NewReader(global[0])); err != nil {
		return nil, err
	}
	known := map[chainhash.Hash]*wire.MsgTx{} // one told for an earlier input counts for the later ones
	for _, in := range p.tx.TxIn {
		m, err := readMap(r)
		if err != nil {
			return nil, err
		}
		if whole := m[0]; whole != nil {
			tx := &wire.MsgTx{}
			if err := tx.Deserialize(bytes.NewReader(whole)); err != nil {
				return nil, err
			}
			known[tx.TxHash()] = tx
		}
		from := in.PreviousOutPoint
		if out := m[1]; out != nil {
			p.outputs[from] = &wire.TxOut{}
			if err := wire.ReadTxOut(bytes.NewReader(out), 0, 0, p.outputs[from]); err != nil {
				return nil, err
			}
		} else if tx := known[from.Hash]; tx != nil && int(from.Index) < len(tx.TxOut) {
			p.outputs[from] = tx.TxOut[from.Index]
		}
		in.SignatureScript = m[7]
		if in.Witness, err = parseWitness(m[8]); err != nil && m[8] != nil {
			return nil, err
		}
	}
	return p, nil
}

// readMap reads a PSBT's map, of which only the entries with keys of one byte are wanted.
func readMap(r *bytes.Reader) (map[byte][]byte, error) {
	m := map[byte][]byte{}
	for {
		key, err := wire.ReadVarBytes(r, 0, 1000, "key")
		if err != nil || len(key) == 0 {
			return m, err
		}
		value, err := wire.ReadVarBytes(r, 0, 100_000, "value")
		if err != nil {
			return nil, err
		}
		if len(key) == 1 {
			m[key[0]] = value
		}
	}
}
