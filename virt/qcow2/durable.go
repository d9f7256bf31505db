package qcow2

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"decenter/virt"
)

// syncPath brings a file's content, or a directory's entries, to the disk.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// publishFile gives a finished file its name; os.ErrExist where the name is taken. The caller syncs the file first.
func publishFile(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	if err := os.Remove(from); err != nil {
		return err
	}
	return syncPath(filepath.Dir(to))
}

// renameNew renames within one directory and refuses to replace anything (os.ErrExist).
func renameNew(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return syncPath(filepath.Dir(to))
}

// writeSynced makes a new file with this content, on the disk.
func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// suffix makes names that do not meet: 8 hex digits.
func suffix() string {
	var b [4]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// allocated is what a file takes on its file system, in bytes (stat's blocks are of 512).
func allocated(fi os.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Blocks) * 512
	}
	return 0
}

// kindOf finds virt's kind for an error of the file system.
func kindOf(err error) error {
	for _, k := range []error{virt.ErrNotFound, virt.ErrExists, virt.ErrConflict, virt.ErrInvalid, virt.ErrUnavailable, virt.ErrExhausted, virt.ErrFailed} {
		if errors.Is(err, k) {
			return k
		}
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return virt.ErrNotFound
	case errors.Is(err, os.ErrExist):
		return virt.ErrExists
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return virt.ErrExhausted
	}
	return virt.ErrFailed
}

// fail wraps err as what went wrong when doing op to object. A context's error stays that and gets no kind of virt's.
func fail(op, object string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s %s: %w", op, object, err)
	}
	return &virt.Error{Op: op, Object: object, Kind: kindOf(err), Err: err}
}

// failf is fail with a kind and words.
func failf(op, object string, kind error, format string, args ...any) error {
	return &virt.Error{Op: op, Object: object, Kind: kind, Err: fmt.Errorf(format, args...)}
}
