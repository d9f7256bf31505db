package qcow2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"decenter/virt"
)

// Import copies, checks and converts an image, then publishes it as a spacesuit.
func (s *Store) Import(ctx context.Context, name string, src virt.Image, progress func(done, total uint64)) (virt.Spacesuit, error) {
	const op = "import spacesuit"
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	if err := virt.CheckName("spacesuit", name); err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	release, err := s.claim("spacesuit " + name)
	if err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	defer release()
	if _, err := s.readSidecar(name); !errors.Is(err, os.ErrNotExist) {
		return virt.Spacesuit{}, failf(op, name, virt.ErrExists, "a spacesuit never changes; import under another name")
	}
	stage := s.suits(".new-" + suffix())
	if err := os.Mkdir(stage, 0o700); err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	defer os.RemoveAll(stage)
	size, err := s.convert(ctx, src, stage, progress)
	if err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	c := sidecar{Version: sidecarVersion, Name: name, Image: name + "-" + suffix() + ".qcow2", Size: size, Created: s.now().UTC()}
	if err := s.publish(stage, c); err != nil {
		return virt.Spacesuit{}, fail(op, name, err)
	}
	v, err := s.view(c)
	return v, fail(op, name, err)
}

// convert leaves STAGE/image, a clean qcow2 file without references, and tells the size a guest sees.
func (s *Store) convert(ctx context.Context, src virt.Image, stage string, progress func(done, total uint64)) (uint64, error) {
	f, err := os.Open(src.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !fi.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: %s is not a regular file", virt.ErrInvalid, src.Path)
	}
	from := f
	switch src.Format {
	case virt.Raw: // no header, so nothing in it is believed
		if fi.Size() == 0 || fi.Size()%512 != 0 || fi.Size() > maxSize {
			return 0, fmt.Errorf("%w: a raw image of %d bytes (whole sectors of 512 are needed)", virt.ErrInvalid, fi.Size())
		}
	case virt.QCOW2: // first where nobody can change it between the check and the use
		own, err := copyImage(ctx, f, filepath.Join(stage, "source"), uint64(fi.Size()), progress)
		if err != nil {
			return 0, err
		}
		defer own.Close()
		if err := s.inspect(ctx, own); err != nil {
			return 0, err
		}
		from = own
	default:
		return 0, &virt.FieldError{Field: "format", Value: string(src.Format), Hint: `"qcow2" or "raw"`}
	}
	image := filepath.Join(stage, "image")
	bar := &percent{f: func(p float64) { progress(uint64(p/100*float64(fi.Size())), uint64(fi.Size())) }}
	// The open file is what is read, whatever its path leads to by now.
	err = s.tool.run(ctx, copyTime, []*os.File{from}, bar, "convert", "-p", "-f", string(src.Format), "-O", "qcow2", "-o", "compat=1.1", "/proc/self/fd/3", image)
	if err != nil {
		return 0, err
	}
	h, err := readHeader(image)
	return h.size, err
}

// copyImage copies by reference where the file system can; the total counts twice, once for the conversion to come.
func copyImage(ctx context.Context, f *os.File, to string, total uint64, progress func(done, total uint64)) (*os.File, error) {
	own, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	for done := uint64(0); ; {
		n, err := io.CopyN(own, f, 64<<20)
		done += uint64(n)
		progress(done/2, total)
		if err == io.EOF {
			return own, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			own.Close()
			return nil, err
		}
	}
}

// inspect refuses an image that could make its reader open anything else: by its header as we read it, and as
// qemu-img reads it.
func (s *Store) inspect(ctx context.Context, f *os.File) error {
	first := make([]byte, headerV3)
	n, err := f.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return err
	}
	h, err := parseHeader(first[:n])
	if err == nil {
		err = h.refuse()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", virt.ErrInvalid, err)
	}
	out := &bounded{max: outputMax}
	if err := s.tool.run(ctx, quickTime, []*os.File{f}, out, "info", "--output=json", "-f", "qcow2", "/proc/self/fd/3"); err != nil {
		if errors.Is(err, virt.ErrFailed) {
			return fmt.Errorf("%w: %w", virt.ErrInvalid, err)
		}
		return err
	}
	return secondOpinion(out.buf.Bytes(), h)
}

// secondOpinion compares what `qemu-img info --output=json` says with the header.
func secondOpinion(out []byte, h header) error {
	var info struct {
		Format    string `json:"format"`
		Size      uint64 `json:"virtual-size"`
		Encrypted bool   `json:"encrypted"`
		Backing   string `json:"backing-filename"`
		Full      string `json:"full-backing-filename"`
		Specific  struct {
			Data struct {
				DataFile string `json:"data-file"`
				Corrupt  bool   `json:"corrupt"`
			} `json:"data"`
		} `json:"format-specific"`
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&info); err != nil {
		return fmt.Errorf("%w: qemu-img info: %w", virt.ErrFailed, err)
	}
	d := info.Specific.Data
	if info.Format != "qcow2" || info.Size != h.size || info.Encrypted || info.Backing != "" || info.Full != "" || d.DataFile != "" || d.Corrupt {
		return fmt.Errorf("%w: qemu-img sees a reference, encryption or damage in it", virt.ErrInvalid)
	}
	return nil
}

// publish gives image and sidecar their names, the sidecar last.
func (s *Store) publish(stage string, c sidecar) error {
	image := filepath.Join(stage, "image")
	if err := os.Chmod(image, 0o444); err != nil {
		return err
	}
	if err := syncPath(image); err != nil {
		return err
	}
	if err := publishFile(image, s.suits(c.Image)); err != nil {
		return err
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	side := filepath.Join(stage, "sidecar")
	if err = writeSynced(side, append(b, '\n')); err == nil {
		err = publishFile(side, s.suits(c.Name+".json"))
	}
	if err != nil {
		return errors.Join(err, os.Remove(s.suits(c.Image)))
	}
	return nil
}

// readHeader reads an image's header.
func readHeader(path string) (header, error) {
	f, err := os.Open(path)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	b := make([]byte, headerV3)
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.ErrUnexpectedEOF {
		return header{}, err
	}
	return parseHeader(b[:n])
}
