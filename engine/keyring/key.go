package keyring

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"decenter/keys"
)

// KeySize is the length of a key, in bytes.
const KeySize = 32

// maxCreated bounds a key's time, in Unix seconds: the end of the year 9999.
const maxCreated = 253402300799

// ID names a key without telling it: the first 8 bytes of the SHA-256 of a label and the key, in hex.
type ID string

const idLabel = "decenter gossip key 1\x00"

// Key is one key. It prints without its secret; only Wire and the file carry that.
type Key struct {
	secret  [KeySize]byte
	id      ID
	Created int64            // Unix seconds, by the clock of the minter, but after each key that it knew
	By      keys.Fingerprint // the minter
}

// newKey draws a key from dice, which must be crypto/rand's reader in production.
func newKey(dice io.Reader, created int64, by keys.Fingerprint) (Key, error) {
	k := Key{Created: min(created, maxCreated), By: by}
	if _, err := io.ReadFull(dice, k.secret[:]); err != nil {
		return Key{}, fmt.Errorf("draw a gossip key: %w", err)
	}
	k.id = idOf(k.secret)
	return k, nil
}

func idOf(secret [KeySize]byte) ID {
	sum := sha256.Sum256(append([]byte(idLabel), secret[:]...))
	return ID(hex.EncodeToString(sum[:8]))
}

// ID is the key's name.
func (k Key) ID() ID { return k.id }

// Secret is the key itself, 32 bytes.
func (k Key) Secret() []byte { return append([]byte(nil), k.secret[:]...) }

// String hides the secret.
func (k Key) String() string {
	return fmt.Sprintf("gossip key %s of %s", k.id, time.Unix(k.Created, 0).UTC().Format(time.RFC3339))
}

// GoString hides the secret.
func (k Key) GoString() string { return k.String() }

// LogValue hides the secret.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// compare orders keys: the newest is the greatest.
func (k Key) compare(l Key) int {
	return cmp.Or(cmp.Compare(k.Created, l.Created), cmp.Compare(k.id, l.id))
}

// wireKey is a key as JSON, in the file and between satellites:
//
//	{"secret": "<44 of base64>", "created": 1767323045, "by": "SHA256:…"}
type wireKey struct {
	Secret  string `json:"secret"`
	Created int64  `json:"created"`
	By      string `json:"by"`
}

// MarshalJSON gives the key with its secret: for the file and for admitted satellites alone.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireKey{base64.StdEncoding.EncodeToString(k.secret[:]), k.Created, k.By.String()})
}

// UnmarshalJSON reads what MarshalJSON gives.
func (k *Key) UnmarshalJSON(b []byte) error {
	var w wireKey
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(w.Secret)
	if err != nil || len(secret) != KeySize {
		return fmt.Errorf("a gossip key is %d bytes in base64", KeySize)
	}
	out := Key{secret: [KeySize]byte(secret), Created: w.Created}
	if subtle.ConstantTimeCompare(secret, make([]byte, KeySize)) == 1 {
		return fmt.Errorf("a gossip key is all zero")
	}
	if w.Created < 0 || w.Created > maxCreated {
		return fmt.Errorf("a gossip key's time, %d, is no time", w.Created)
	}
	if out.By, err = keys.ParseFingerprint(w.By); err != nil {
		return err
	}
	out.id = idOf(out.secret)
	*k = out
	return nil
}

// CheckID tells whether an id has the form of one.
func CheckID(id ID) error {
	if b, err := hex.DecodeString(string(id)); err != nil || len(b) != 8 || hex.EncodeToString(b) != string(id) {
		return fmt.Errorf("%q is not the id of a gossip key", string(id))
	}
	return nil
}
