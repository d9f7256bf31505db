package libvirt

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"decenter/virt"
)

// Limits of the record.
const (
	recordSize  = 64 << 10 // bytes kept for readers to come
	recordSlack = 1 << 20  // bytes it may take beyond that before the janitor comes
	janitorTime = 15 * time.Second
)

// prepareLog makes the log where it is missing, so that a console can be opened before the first start.
func (d *Driver) prepareLog(id virt.ID) error {
	f, err := os.OpenFile(d.layout.log(id), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(trim(f), f.Close())
}

// trim gives back the pages before the last recordSize bytes. The file's length stays, so every reader's place in it
// and the place where QEMU appends stay too.
func trim(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Blocks*512 <= recordSize+recordSlack {
		return nil
	}
	page := int64(os.Getpagesize())
	end := (st.Size - recordSize) / page * page
	if end <= 0 {
		return nil
	}
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, end)
}

// janitor trims all logs from time to time.
func (d *Driver) janitor(ctx context.Context) {
	for tick := time.NewTicker(janitorTime); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		logs, _ := filepath.Glob(filepath.Join(d.layout.dir, "*.log"))
		for _, name := range logs {
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				continue // undefined since
			}
			if err := trim(f); err != nil {
				d.cfg.Log.Warn("cannot shorten a guest's console record", "file", name, "error", err)
			}
			f.Close()
		}
	}
}

// tail reads a log from near its end, over trims and rotations.
type tail struct {
	path string
	f    *os.File
	at   int64
}

// openTail begins recordSize bytes before the end.
func openTail(path string) (*tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &tail{path: path, f: f, at: max(0, end-recordSize)}, nil
}

// errNothingYet: all is read for now.
var errNothingYet = errors.New("nothing yet")

// read gives what is there, errNothingYet at the end, io.EOF where the log is removed.
func (t *tail) read(p []byte) (int, error) {
	data, err := unix.Seek(int(t.f.Fd()), t.at, unix.SEEK_DATA) // over a hole, if the janitor was faster than we
	if err == nil {
		t.at = max(t.at, data)
		n, err := t.f.ReadAt(p, t.at)
		t.at += int64(n)
		if n > 0 {
			return n, nil
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
	} else if err != unix.ENXIO {
		return 0, err
	}
	return 0, t.follow()
}

// follow goes on to the file that now has the path, where a log daemon rotated ours away.
func (t *tail) follow() error {
	mine, err := t.f.Stat()
	if err != nil {
		return err
	}
	f, err := os.Open(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return io.EOF
	}
	if err != nil {
		return err
	}
	now, err := f.Stat()
	if err != nil || os.SameFile(mine, now) {
		f.Close()
		return errors.Join(err, errNothingYet)
	}
	t.f.Close()
	t.f, t.at = f, 0
	return errNothingYet
}

// Console opens the serial line.
func (d *Driver) Console(ctx context.Context, id virt.ID) (io.ReadWriteCloser, error) {
	const op = "open the console of"
	if _, err := d.Get(ctx, id); err != nil {
		return nil, err
	}
	t, err := openTail(d.layout.log(id))
	if errors.Is(err, os.ErrNotExist) { // removed behind our back
		if err = d.prepareLog(id); err == nil {
			t, err = openTail(d.layout.log(id))
		}
	}
	if err != nil {
		return nil, fail(op, id.String(), err)
	}
	c := &console{d: d, id: id, tail: t, line: d.attach(id)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	context.AfterFunc(c.ctx, func() { d.detach(id) })
	return c, nil
}
