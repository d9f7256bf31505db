package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"decenter/engine/api"
)

// priorityFile, in Config.Data, is the priority that was set: {"priority": N}. There is none where the configuration's holds.
const priorityFile = "tree.json"

type keptTree struct {
	Priority *uint16 `json:"priority"`
}

// priority is the satellite's wish to be root.
func (f *Fabric) priority() uint16 {
	if f.set != nil {
		return *f.set
	}
	return f.cfg.Priority
}

// SetPriority makes p the wish to be root, from now on and after each restart; nil is the configuration's again. It is on disk
// when it holds: a priority that an engine's death took back would move the root a second time. Config.Data must be given.
func (f *Fabric) SetPriority(ctx context.Context, p *uint16) (r api.TreePriority, err error) {
	f.setting.Lock()
	defer f.setting.Unlock()
	if err := keepPriority(f.cfg.Data, p); err != nil { // not on Run's goroutine, which must not wait for a disk
		return r, &api.Error{Code: api.CodeFailed, Message: "the priority cannot be kept, so it stays what it was", Hint: err.Error()}
	}
	err = f.ask(ctx, func() error {
		r.Was, r.Configured = int(f.priority()), int(f.cfg.Priority)
		f.set = p
		if r.Priority, r.Set = int(f.priority()), p != nil; r.Priority != r.Was {
			f.core.SetPriority(f.priority(), f.now())
			f.cfg.Log.Info("another wish to be root", "priority", r.Priority, "before", r.Was)
		}
		return nil
	})
	return r, err
}

// keptPriority reads what was set; nil where nothing was.
func keptPriority(dir string) (*uint16, error) {
	if dir == "" {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(dir, priorityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var kept keptTree
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err == nil && kept.Priority == nil {
		err = errors.New("there is none in " + priorityFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the priority that was set: %w", err)
	}
	return kept.Priority, nil
}

// keepPriority stores p; nil removes what was stored. After a crash there is the old one or the new.
func keepPriority(dir string, p *uint16) (err error) {
	if dir == "" {
		return errors.New("there is no folder to keep it in")
	}
	path := filepath.Join(dir, priorityFile)
	if p == nil {
		err = os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	} else {
		err = writeSynced(path, fmt.Appendf(nil, "{\"priority\": %d}\n", *p))
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeSynced replaces a file in one step with what is on the disk already. The folder is not synced yet.
func writeSynced(path string, b []byte) error {
	next := path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		os.Remove(next)
	}
	return err
}
