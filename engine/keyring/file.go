package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"decenter/keys"
)

// File is a ring on disk.
//
//	{"version": 1, "primary": "<id>", "since": TIME, "shared": true, "keys": [{"key": KEY, "learned": TIME, "retired": TIME}],
//	 "retired": ["<id>"], "gone": ["<id>"], "ejected": ["SHA256:…"]}
type File struct {
	Version int         `json:"version"`
	Primary ID          `json:"primary"`
	Since   time.Time   `json:"since"`
	Shared  bool        `json:"shared"`
	Keys    []FileEntry `json:"keys"`
	Retired []ID        `json:"retired"`
	Gone    []ID        `json:"gone"`
	Ejected []string    `json:"ejected"`
}

// FileEntry is a key on disk.
type FileEntry struct {
	Key     Key       `json:"key"`
	Learned time.Time `json:"learned"`
	Retired time.Time `json:"retired,omitzero"`
}

const fileVersion = 1

// maxFile bounds the file, in bytes: what the bounds of a ring come to, twice over.
const maxFile = 1 << 20

// Load reads the ring of a satellite from a file. Where there is none, the ring is New. A file that others may read is
// refused: its keys may have leaked.
func Load(path string, self keys.Fingerprint) (*Ring, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return New(self), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the gossip keys: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): delete it, and the satellite gets new keys from the others", path, st.Mode().Perm())
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s is no file of gossip keys: it has %d bytes", path, st.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the gossip keys: %w", err)
	}
	r, err := parse(text, self)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: delete it, and the satellite gets new keys from the others", path, err)
	}
	return r, nil
}

func parse(text []byte, self keys.Fingerprint) (*Ring, error) {
	var f File
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("version %d is not known", f.Version)
	}
	if len(f.Keys) > 2*MaxKeys || len(f.Retired) > MaxGone || len(f.Gone) > MaxGone || len(f.Ejected) > MaxEjected {
		return nil, errors.New("it holds more than a ring does")
	}
	r := New(self)
	for _, e := range f.Keys {
		if e.Key.id == "" {
			return nil, errors.New("a key is missing")
		}
		if r.find(e.Key.id) != nil {
			return nil, fmt.Errorf("key %s is in it twice", e.Key.id)
		}
		r.add(e.Key, e.Learned)
		r.find(e.Key.id).retired = e.Retired
	}
	for _, id := range append(append([]ID(nil), f.Retired...), f.Gone...) {
		if err := CheckID(id); err != nil {
			return nil, err
		}
	}
	for _, text := range f.Ejected {
		e, err := keys.ParseFingerprint(text)
		if err != nil {
			return nil, err
		}
		r.ejected[e] = struct{}{}
	}
	r.retired, r.gone, r.shared, r.since = f.Retired, f.Gone, f.Shared, f.Since
	if r.find(f.Primary) != nil {
		r.primary = f.Primary
	}
	return r, nil
}

// file is the ring as it is kept.
func (r *Ring) file() File {
	f := File{Version: fileVersion, Primary: r.primary, Since: r.since, Shared: r.shared, Retired: r.retired, Gone: r.gone}
	for _, k := range r.known {
		f.Keys = append(f.Keys, FileEntry{k.Key, k.learned, k.retired})
	}
	for e := range r.ejected {
		f.Ejected = append(f.Ejected, e.String())
	}
	return f
}

// Save writes the ring to a file, which only the engine's user may read. After a crash there is the old file or the new.
func (r *Ring) Save(path string) error {
	text, err := json.Marshal(r.file())
	if err != nil {
		return err
	}
	if err := replace(path, text); err != nil {
		return fmt.Errorf("keep the gossip keys: %w", err)
	}
	return nil
}

func replace(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
