package radar

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// KeySize is the length of a gossip key, in bytes: AES-256.
const KeySize = 32

// newRing makes memberlist's keyring. Keys of other lengths, which memberlist would take, are refused.
func newRing(primary []byte, others [][]byte) (*memberlist.Keyring, error) {
	if err := checkKeys(primary, others); err != nil {
		return nil, err
	}
	ring, err := memberlist.NewKeyring(others, bytes.Clone(primary))
	if err != nil {
		return nil, fmt.Errorf("gossip keys: %w", err)
	}
	return ring, nil
}

func checkKeys(primary []byte, others [][]byte) error {
	for _, k := range append([][]byte{primary}, others...) {
		if len(k) != KeySize {
			return fmt.Errorf("a gossip key has %d bytes: %d are right", len(k), KeySize)
		}
	}
	return nil
}

// SetKeys changes the keys of gossip while it goes on: what is sent from now on is encrypted with primary, and what is
// received is understood if it is encrypted with primary or one of others. All further keys are forgotten.
func (r *Radar) SetKeys(primary []byte, others [][]byte) error {
	if err := checkKeys(primary, others); err != nil {
		return err
	}
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	keep := [][]byte{primary}
	for _, k := range others {
		if !contains(keep, k) {
			keep = append(keep, k)
		}
	}
	var errs []error
	for _, k := range keep {
		errs = append(errs, r.ring.AddKey(bytes.Clone(k)))
	}
	errs = append(errs, r.ring.UseKey(primary))
	have := r.ring.GetKeys()
	if len(have) == len(keep) {
		return errors.Join(errs...)
	}
	// RemoveKey shifts the keys behind the removed one within the very array that readers of the ring hold; removing
	// the last one shifts none. UseKey makes a new array with its key in front: using all that are kept, the primary
	// last, moves the others to the end. For that instant another kept key is the primary, which members have too,
	// but for a new one: a packet sent then may be lost, which gossip bears.
	for _, k := range slices.Backward(keep) {
		errs = append(errs, r.ring.UseKey(k))
	}
	have = r.ring.GetKeys()
	for _, k := range slices.Backward(have[len(keep):]) {
		errs = append(errs, r.ring.RemoveKey(k))
	}
	return errors.Join(errs...)
}

func contains(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

// withoutKeys is what Serf gets to see of memberlist's configuration once that runs: nothing of the keys. Serf lets
// every member install, use, remove and list keys by gossip, which would give an ejected satellite that still has an
// old key the new ones too. Without a keyring it refuses.
func withoutKeys(ml *memberlist.Config) *memberlist.Config {
	seen := *ml
	seen.Keyring, seen.SecretKey = nil, nil
	return &seen
}
