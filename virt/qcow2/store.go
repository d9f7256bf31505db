package qcow2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"decenter/virt"
)

// Store is the directory of one satellite. Open makes one; it is safe for concurrent use.
type Store struct {
	dir  string
	now  func() time.Time
	tool *tool
	lock *os.File

	mu   sync.Mutex
	busy map[string]bool // names being imported and ids being changed; guarded by mu
}

var _ virt.Volumes = (*Store)(nil)

// Open takes the directory for this process, making it where it is missing. now tells when a spacesuit was created.
// ErrConflict where another process has it open.
func Open(dir string, now func() time.Time) (*Store, error) {
	const op = "open volume store"
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fail(op, dir, err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "spacesuits"), filepath.Join(dir, "volumes")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fail(op, dir, err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail(op, dir, err)
	}
	if err := take(lock); err != nil {
		lock.Close()
		return nil, failf(op, dir, virt.ErrConflict, "another process has it open (%w)", err)
	}
	return &Store{dir: dir, now: now, tool: newTool(), lock: lock, busy: map[string]bool{}}, nil
}

// lockWait is how long a lock may outlive its holder: a process that is killed while it starts another leaves the lock to that
// one until its exec.
const lockWait = 500 * time.Millisecond

// take locks the file, or tells that another process has it.
func take(lock *os.File) (err error) {
	for end := time.Now().Add(lockWait); ; time.Sleep(10 * time.Millisecond) {
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}

// Close gives the directory free for others.
func (s *Store) Close() error { return s.lock.Close() }

// claim makes one name or id the caller's until release; ErrConflict where another call is at it.
func (s *Store) claim(key string) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[key] {
		return nil, fmt.Errorf("%w: another call is at work on it", virt.ErrConflict)
	}
	s.busy[key] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.busy, key)
	}, nil
}

func (s *Store) suits(elem ...string) string {
	return filepath.Join(append([]string{s.dir, "spacesuits"}, elem...)...)
}

func (s *Store) volumes(elem ...string) string {
	return filepath.Join(append([]string{s.dir, "volumes"}, elem...)...)
}

// sidecar is the content of a spacesuit's NAME.json.
type sidecar struct {
	Version int       `json:"version"` // 1
	Name    string    `json:"name"`
	Image   string    `json:"image"` // file name beside it
	Size    uint64    `json:"size"`  // bytes a guest sees
	Created time.Time `json:"created"`
}

const (
	sidecarVersion = 1
	sidecarMax     = 64 << 10 // bytes read of one
)

// readSidecar reads and checks one; os.ErrNotExist where there is none.
func (s *Store) readSidecar(name string) (sidecar, error) {
	f, err := os.Open(s.suits(name + ".json"))
	if err != nil {
		return sidecar{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, sidecarMax))
	if err != nil {
		return sidecar{}, err
	}
	var c sidecar
	if err := json.Unmarshal(b, &c); err != nil {
		return sidecar{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if c.Version != sidecarVersion || c.Name != name || c.Image != filepath.Base(c.Image) || !strings.HasPrefix(c.Image, name+"-") {
		return sidecar{}, fmt.Errorf("%s: does not describe spacesuit %q", f.Name(), name)
	}
	return c, nil
}

// Spacesuit finds one.
func (s *Store) Spacesuit(ctx context.Context, name string) (virt.Spacesuit, error) {
	const op = "find spacesuit"
	if err := virt.CheckName("spacesuit", name); err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	c, err := s.readSidecar(name)
	if err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	v, err := s.view(c)
	return v, fail(op, name, err)
}

func (s *Store) view(c sidecar) (virt.Spacesuit, error) {
	fi, err := os.Stat(s.suits(c.Image))
	if err != nil {
		return virt.Spacesuit{}, err
	}
	return virt.Spacesuit{Name: c.Name, Size: c.Size, Allocated: allocated(fi), Created: c.Created}, nil
}

// Spacesuits lists them. One that cannot be read is left out, and its error returned beside the others.
func (s *Store) Spacesuits(ctx context.Context) ([]virt.Spacesuit, error) {
	const op = "list spacesuits"
	names, err := s.suitNames()
	if err != nil {
		return nil, fail(op, "", err)
	}
	var list []virt.Spacesuit
	var broken error
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		v, err := s.Spacesuit(ctx, name)
		if err != nil {
			broken = errors.Join(broken, err)
			continue
		}
		list = append(list, v)
	}
	return list, broken
}

// suitNames lists the names that have a sidecar, sorted.
func (s *Store) suitNames() ([]string, error) {
	entries, err := os.ReadDir(s.suits())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if ok && virt.CheckName("spacesuit", name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
