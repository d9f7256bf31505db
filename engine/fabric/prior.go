package fabric

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"decenter/net/datapath"
	"decenter/net/link"
)

// priorsFile tells how each port's device was before it became one.
const priorsFile = "ports.json"

// prepare makes a device fit for the fabric, and notes before how it was.
func (f *Fabric) prepare(l *link.Link) error {
	if p, known := f.priors[l.Name]; !known || p.MAC != l.MAC { // of that name, but another one
		f.priors[l.Name] = link.Inspect(*l)
		if err := writePriors(f.cfg.State, f.priors); err != nil {
			return err
		}
	}
	if err := link.Prepare(*l); err != nil {
		return err
	}
	now, err := link.ByName(l.Name)
	if err == nil && now.Index != l.Index {
		err = fmt.Errorf("prepare %s: it was exchanged meanwhile", l.Name)
	}
	*l = now
	return err
}

// renamePrior keeps the note of how a device was when it gets another name or address.
func (f *Fabric) renamePrior(old, now link.Link) {
	p, known := f.priors[old.Name]
	if !known || p.MAC != old.MAC {
		return
	}
	delete(f.priors, old.Name)
	p.Name, p.MAC = now.Name, now.MAC
	f.priors[now.Name] = p
	if err := writePriors(f.cfg.State, f.priors); err != nil {
		f.cfg.Log.Warn("uninstall will not put a renamed port back", "port", now.Name, "err", err)
	}
}

// giveBack makes a device that is no port any more what it was, but for being up: somebody uses it now.
func (f *Fabric) giveBack(l link.Link) {
	p, known := f.priors[l.Name]
	if !known || p.MAC != l.MAC {
		return
	}
	p.Up = true
	if err := link.Restore(p); err != nil {
		f.cfg.Log.Warn("a former port is not as it was before", "port", l.Name, "err", err)
	}
	delete(f.priors, l.Name)
	if err := writePriors(f.cfg.State, f.priors); err != nil {
		f.cfg.Log.Warn("a former port stays noted", "port", l.Name, "err", err)
	}
}

// readPriors reads how devices were before they became ports.
func readPriors(dir string) (map[string]link.Prior, error) {
	priors := map[string]link.Prior{}
	b, err := os.ReadFile(filepath.Join(dir, priorsFile))
	if errors.Is(err, os.ErrNotExist) {
		return priors, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &priors)
	}
	if err != nil {
		return nil, fmt.Errorf("read how ports were before: %w", err)
	}
	return priors, nil
}

func writePriors(dir string, priors map[string]link.Prior) error {
	b, err := json.MarshalIndent(priors, "", "  ")
	if err == nil {
		err = writeWhole(filepath.Join(dir, priorsFile), b)
	}
	if err != nil {
		return fmt.Errorf("store how ports were before: %w", err)
	}
	return nil
}

// Uninstall ends the fabric on this machine: all taps and the host port are removed, the data path goes, devices become
// what they were. While an engine runs it is a CodeConflict. What is gone already is no error.
func Uninstall(cfg Config) error {
	lock, err := own(cfg)
	if err != nil {
		return err
	}
	defer lock.Close()
	all, err := link.List()
	errs := []error{err}
	for _, l := range all { // while the data path still keeps guests off the machine's own stack
		if isTap(l) {
			errs = append(errs, link.Delete(l.Name))
		}
	}
	errs = append(errs, link.Delete(cfg.Host), datapath.Uninstall(cfg.BPF))
	priors, err := readPriors(cfg.State)
	errs = append(errs, err)
	for _, p := range priors {
		errs = append(errs, link.Restore(p))
	}
	if err := errors.Join(errs...); err != nil {
		return err // the record of how ports were stays for another try
	}
	return os.RemoveAll(cfg.State)
}
