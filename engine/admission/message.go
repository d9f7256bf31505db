package admission

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"decenter/engine/api"
	"decenter/engine/keyring"
	"decenter/keys"
	"decenter/keys/statement"
)

// Path is where the exchange is on the port of satellites' requests.
const Path = "/decenter.v1.Satellite/Exchange"

const version = 1

// The bounds of one message.
const (
	maxMessage         = 16 << 20 // bytes, from an admitted satellite: all statements with the longest signatures fit
	maxStrangerMessage = 64 << 10 // bytes, from anyone else
	maxStranger        = 32       // statements, to and from a stranger
)

// message is a question or an answer; doc.go shows its form.
type message struct {
	Version    int                `json:"version"`
	Digest     digest             `json:"digest"`
	Basis      digest             `json:"basis"`
	Statements []statement.Signed `json:"statements,omitempty"`
	Ring       *ringPart          `json:"ring,omitempty"`
}

// ringPart is what one admitted satellite tells another of its keys.
type ringPart struct {
	Lone    bool          `json:"lone"`
	Have    []keyring.ID  `json:"have"`
	Retired []keyring.ID  `json:"retired"`
	Keys    []keyring.Key `json:"keys,omitempty"`
}

func (r *ringPart) telling() keyring.Telling {
	return keyring.Telling{Lone: r.Lone, Have: r.Have, Retired: r.Retired, Keys: r.Keys}
}

// digest is a SHA-256 as 64 digits of hex.
type digest [32]byte

// MarshalText gives the hex.
func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText reads what MarshalText gives, and nothing else.
func (d *digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) || hex.EncodeToString(b) != string(text) {
		return errors.New("a digest is 64 digits of hex")
	}
	copy(d[:], b)
	return nil
}

// parse reads a message and checks its bounds. What the statements say is not looked at.
func parse(text []byte) (message, error) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return message{}, fmt.Errorf("not a message of an exchange: %w", err)
	}
	if m.Version != version {
		return message{}, fmt.Errorf("version %d of the exchange is not known here, %d is", m.Version, version)
	}
	if len(m.Statements) > api.MaxStatements {
		return message{}, fmt.Errorf("%d statements are more than %d", len(m.Statements), api.MaxStatements)
	}
	for _, s := range m.Statements {
		if len(s.Line) > statement.MaxLine || len(s.Signature) > keys.MaxSignature {
			return message{}, errors.New("a statement or its signature is too long")
		}
	}
	if m.Ring == nil {
		return m, nil
	}
	if len(m.Ring.Have) > 2*keyring.MaxKeys || len(m.Ring.Keys) > 2*keyring.MaxKeys || len(m.Ring.Retired) > keyring.MaxGone {
		return message{}, errors.New("it tells of more gossip keys than there can be")
	}
	for _, ids := range [][]keyring.ID{m.Ring.Have, m.Ring.Retired} {
		for _, id := range ids {
			if err := keyring.CheckID(id); err != nil {
				return message{}, err
			}
		}
	}
	for _, k := range m.Ring.Keys {
		if k.ID() == "" {
			return message{}, errors.New("a gossip key is missing") // null in JSON
		}
	}
	return m, nil
}

// append gives the text of a message.
func (m message) append() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("admission: " + err.Error()) // our own bug: all parts can be written
	}
	return b
}

// about is a first look, which spares parsing thousands of statements for a stranger.
func about(line string, ends [2]keys.Fingerprint) bool {
	return strings.HasPrefix(line, "decenter grant ") && strings.Contains(line, " owner to ") ||
		strings.Contains(line, ends[0].String()) || strings.Contains(line, ends[1].String())
}

// between picks the statements that a stranger may present and get: who admits or ejects either end, and which accounts
// are owners. The latter only so far as the former rest on them, where it is this satellite that tells (told).
func between(network keys.Network, all []statement.Signed, ends [2]keys.Fingerprint, told bool) []statement.Signed {
	signers := map[keys.Address]bool{}
	var out, grants []statement.Signed
	to := map[string]statement.Grant{} // by line, until it is picked
	for _, s := range all {
		if !about(s.Line, ends) {
			continue
		}
		parsed, err := statement.Parse(network, s.Line)
		if err != nil {
			continue
		}
		switch x := parsed.(type) {
		case statement.Membership:
			if (x.Satellite == ends[0] || x.Satellite == ends[1]) && len(out) < maxStranger {
				out = append(out, s)
				signers[x.Account] = true
			}
		case statement.Grant:
			if x.Role == statement.Owner && x.Object == statement.ObjectAll {
				grants = append(grants, s)
				to[s.Line] = x
			}
		}
	}
	for again := true; again; {
		again = false
		for n, s := range grants {
			g, left := to[s.Line]
			if !left || len(out) >= maxStranger || told && !signers[g.To] {
				continue
			}
			out = append(out, grants[n])
			signers[g.Account], again = true, true
			delete(to, s.Line)
		}
	}
	return out
}
