package lab

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"decenter/engine/config"
	"decenter/engine/trust"
	"decenter/keys"
	"decenter/keys/keyfile"
	"decenter/keys/statement"
)

// Constellation is the name of every lab's.
const Constellation = "lab"

// ownerFile holds the key of the lab's owner, in the lab's folder: who can read it is root already.
const ownerFile = "owner.key"

// trustPath is where the engine keeps the statements.
func (p paths) trustPath() string { return filepath.Join(p.data(), "trust") }

// owner is the account that owns a lab: made for it, and gone with it.
func (l *Lab) owner() (keyfile.Key, error) {
	path := filepath.Join(l.Dir, ownerFile)
	if k, err := keyfile.ReadFile(path, nil); !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	secret, err := keys.NewPrivateKey(rand.Reader)
	if err != nil {
		return keyfile.Key{}, err
	}
	k := keyfile.Key{Account: secret.Address(keys.Mainnet, keys.P2WPKH), Secret: secret}
	return k, keyfile.WriteFile(path, k.Append(nil))
}

// declare gives a satellite, before it is switched on, what its owner says on real machines once they run: who belongs to
// the constellation, and that root of this satellite acts for the owner.
func (p paths) declare(c config.Config, owner keyfile.Key, self keys.Fingerprint, all []keys.Fingerprint) error {
	_, owners, _, err := c.Trust.Addresses()
	if err != nil {
		return err
	}
	store, err := trust.Open(trust.Config{Path: p.trustPath(), Constellation: Constellation, Owners: owners, Self: self, Now: time.Now,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	delegation, err := sign(owner, statement.Delegation{Account: owner.Account, Key: self, Scope: statement.All, From: now, Until: now.Add(statement.MaxDelegation)})
	if err == nil {
		_, _, err = store.Declare(delegation)
	}
	var batch []statement.Signed
	for _, id := range all {
		signed, serr := sign(owner, statement.Membership{Account: owner.Account, Constellation: Constellation, Satellite: id, Admit: true, At: now})
		err = errors.Join(err, serr)
		batch = append(batch, signed)
	}
	if err != nil {
		return errors.Join(err, store.Close())
	}
	_, refused := store.Merge(batch)
	return errors.Join(errors.Join(refused...), store.Close())
}

func sign(k keyfile.Key, s statement.Statement) (statement.Signed, error) {
	line, err := statement.New(s)
	if err != nil {
		return statement.Signed{}, err
	}
	signature, err := k.Secret.Sign(k.Account, line)
	if err != nil {
		return statement.Signed{}, fmt.Errorf("sign as the lab's owner: %w", err)
	}
	return statement.Signed{Line: line, Signature: signature}, nil
}

// dropOwner removes the owner's key.
func (l *Lab) dropOwner() error {
	if err := os.Remove(filepath.Join(l.Dir, ownerFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// admittedBy gives the satellites that one knows to be of its constellation when it is first switched on.
func (l *Lab) admittedBy(name string, ids []keys.Fingerprint) (admitted []keys.Fingerprint) {
	for n, other := range l.Topology.Satellites {
		if !slices.Contains(l.Strangers, name) && !slices.Contains(l.Strangers, other) {
			admitted = append(admitted, ids[n])
		}
	}
	return admitted
}
