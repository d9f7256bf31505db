package engine

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/engine/jobs"
	"decenter/virt"
)

// Times of the import folder.
const (
	importEvery  = 5 * time.Second // between looks into it
	importSettle = 2 * time.Second // a file that changed since is still being written
)

// importer makes spacesuits of image files that were put into a folder: NAME.qcow2, NAME.raw or NAME.img (raw).
// A file is taken once; one that was refused is tried again when it changed. The files stay.
type importer struct {
	e     *Engine
	dir   string
	tried map[string]time.Time // path → its mtime when it was tried
}

// run looks into the folder until ctx ends.
func (i *importer) run(ctx context.Context) error {
	tick := time.NewTicker(importEvery)
	defer tick.Stop()
	for {
		// Until earlier work is recovered the store may not be changed; look again soon.
		wait := tick.C
		if !i.e.ready.Load() {
			wait = time.After(100 * time.Millisecond)
		} else if err := i.look(ctx); err != nil {
			i.e.cfg.Log.Warn("import folder", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		}
	}
}

func (i *importer) look(ctx context.Context) error {
	entries, err := os.ReadDir(i.dir)
	if err != nil {
		return err
	}
	suits, err := i.e.cfg.Volumes.Spacesuits(ctx)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, s := range suits {
		have[s.Name] = true
	}
	for _, entry := range entries {
		name, format, ok := imageName(entry.Name())
		info, err := entry.Info()
		if !ok || have[name] || err != nil || !info.Mode().IsRegular() {
			continue
		}
		path := filepath.Join(i.dir, entry.Name())
		if i.tried[path].Equal(info.ModTime()) || i.e.cfg.Now().Sub(info.ModTime()) < importSettle {
			continue
		}
		i.tried[path] = info.ModTime()
		if err := i.start(name, virt.Image{Path: path, Format: format}); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) start(name string, img virt.Image) error {
	_, err := i.e.jobs.Start(i.e.life, api.Job{Verb: "import", Object: name, Account: api.AccountLocal}, nil, func(ctx context.Context, p *jobs.Progress) error {
		_, err := i.e.cfg.Volumes.Import(ctx, name, img, func(done, total uint64) { p.Step("copy", done, total) })
		return apiError(err)
	})
	return err
}

// imageName takes a file's name apart; ok is false where it is no image of ours.
func imageName(file string) (name string, format virt.Format, ok bool) {
	ext := filepath.Ext(file)
	name = strings.TrimSuffix(file, ext)
	switch ext {
	case ".qcow2":
		format = virt.QCOW2
	case ".raw", ".img":
		format = virt.Raw
	default:
		return "", "", false
	}
	return name, format, api.CheckName(name) == nil
}

func newImporter(e *Engine, dir string) (*importer, error) {
	if err := os.MkdirAll(dir, fs.FileMode(0o755)); err != nil {
		return nil, fmt.Errorf("make the import folder: %w", err)
	}
	return &importer{e, dir, map[string]time.Time{}}, nil
}
