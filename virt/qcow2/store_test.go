package qcow2

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/virt"
)

var (
	vm1 = virt.ID{1, 15: 1}
	vm2 = virt.ID{2, 15: 2}
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// qemuImg is the oracle: the tool itself, run by hand.
func qemuImg(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// rawImage makes 4 MiB with a pattern at the front.
func rawImage(t *testing.T) (path string, content []byte) {
	t.Helper()
	content = make([]byte, 4<<20)
	copy(content, bytes.Repeat([]byte("spacesuit "), 1000))
	path = filepath.Join(t.TempDir(), "image.raw")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func is(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}

func TestAVMBeginsAsItsSpacesuitAndTakesNoRoom(t *testing.T) {
	ctx, s := context.Background(), open(t, t.TempDir())
	raw, content := rawImage(t)
	var last, total uint64
	suit, err := s.Import(ctx, "tiny", virt.Image{Path: raw, Format: virt.Raw}, func(d, n uint64) { last, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if suit.Size != 4<<20 || suit.Created.Year() != 2026 || suit.Allocated == 0 || suit.Allocated >= 4<<20 {
		t.Errorf("spacesuit %+v", suit)
	}
	if last != 4<<20 || total != 4<<20 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	disks, err := s.Create(ctx, vm1, "tiny", 8<<20)
	if err != nil || len(disks) != 1 || disks[0].Name != "vda" || disks[0].Format != virt.QCOW2 {
		t.Fatalf("%v, %v", disks, err)
	}
	use, err := s.Usage(ctx, vm1)
	if err != nil || use[0].Size != 8<<20 || use[0].Allocated > 1<<20 {
		t.Errorf("usage %+v, %v", use, err)
	}
	info := qemuImg(t, "info", disks[0].Path)
	if !strings.Contains(info, "backing file format: qcow2") {
		t.Errorf("the backing format is not pinned:\n%s", info)
	}
	flat := filepath.Join(t.TempDir(), "flat")
	qemuImg(t, "convert", "-f", "qcow2", "-O", "raw", disks[0].Path, flat)
	seen, _ := os.ReadFile(flat)
	if len(seen) != 8<<20 || !bytes.Equal(seen[:4<<20], content) || len(bytes.Trim(seen[4<<20:], "\x00")) != 0 {
		t.Error("the VM's disk does not hold the spacesuit's content, then zeros")
	}
	if err := s.Delete(ctx, vm1); err != nil {
		t.Fatal(err)
	}
	is(t, s.Delete(ctx, vm1), virt.ErrNotFound)
	if left, _ := os.ReadDir(s.volumes()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheStoreCanBeMoved(t *testing.T) {
	ctx, root := context.Background(), t.TempDir()
	raw, _ := rawImage(t)
	s := open(t, filepath.Join(root, "here"))
	if _, err := s.Import(ctx, "tiny", virt.Image{Path: raw, Format: virt.Raw}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, vm1, "tiny", 0); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Rename(filepath.Join(root, "here"), filepath.Join(root, "there")); err != nil {
		t.Fatal(err)
	}
	s = open(t, filepath.Join(root, "there"))
	use, err := s.Usage(ctx, vm1)
	if err != nil {
		t.Fatal(err)
	}
	qemuImg(t, "check", use[0].Disk.Path) // opens the backing file too
}

func TestRefusalsChangeNothing(t *testing.T) {
	ctx, s := context.Background(), open(t, t.TempDir())
	raw, _ := rawImage(t)
	img := virt.Image{Path: raw, Format: virt.Raw}
	if _, err := s.Import(ctx, "tiny", img, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, vm1, "tiny", 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.Import(ctx, "tiny", img, nil)
	is(t, err, virt.ErrExists)
	_, err = s.Import(ctx, "../tiny", img, nil)
	is(t, err, virt.ErrInvalid)
	_, err = s.Import(ctx, "two", virt.Image{Path: raw, Format: "vmdk"}, nil)
	is(t, err, virt.ErrInvalid)
	_, err = s.Import(ctx, "two", virt.Image{Path: raw + ".none", Format: virt.Raw}, nil)
	is(t, err, virt.ErrNotFound)
	_, err = s.Import(ctx, "two", virt.Image{Path: "/dev/zero", Format: virt.Raw}, nil)
	is(t, err, virt.ErrInvalid)
	_, err = s.Import(ctx, "two", virt.Image{Path: raw, Format: virt.QCOW2}, nil) // it is raw
	is(t, err, virt.ErrInvalid)
	_, err = s.Create(ctx, vm1, "tiny", 0)
	is(t, err, virt.ErrExists)
	_, err = s.Create(ctx, vm2, "none", 0)
	is(t, err, virt.ErrNotFound)
	_, err = s.Create(ctx, vm2, "tiny", 1<<20)
	is(t, err, virt.ErrInvalid)
	_, err = s.Usage(ctx, vm2)
	is(t, err, virt.ErrNotFound)
	_, err = Open(s.dir, time.Now)
	is(t, err, virt.ErrConflict)
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Import(over, "two", img, nil)
	is(t, err, context.Canceled)

	list, err := s.Spacesuits(ctx)
	if err != nil || len(list) != 1 {
		t.Errorf("spacesuits %v, %v", list, err)
	}
	assertClean(t, s)
}

// assertClean: nothing of half-done work is in the store.
func assertClean(t *testing.T, s *Store) {
	t.Helper()
	for _, dir := range []string{s.suits(), s.volumes()} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				t.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
			}
		}
	}
}

func TestADiskOnlyGrowsAndNotUnderAGuest(t *testing.T) {
	ctx, s := context.Background(), open(t, t.TempDir())
	raw, _ := rawImage(t)
	if _, err := s.Import(ctx, "tiny", virt.Image{Path: raw, Format: virt.Raw}, nil); err != nil {
		t.Fatal(err)
	}
	disks, err := s.Create(ctx, vm1, "tiny", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Grow(ctx, vm1, "vda", 64<<20); err != nil {
		t.Fatal(err)
	}
	use, err := s.Usage(ctx, vm1)
	if err != nil || use[0].Size != 64<<20 {
		t.Errorf("%+v, %v", use, err)
	}
	is(t, s.Grow(ctx, vm1, "vda", 32<<20), virt.ErrInvalid)
	is(t, s.Grow(ctx, vm1, "vdb", 128<<20), virt.ErrNotFound)

	// A QEMU that holds the disk, as a guest does.
	holder := exec.Command("qemu-system-x86_64", "-accel", "tcg", "-S", "-nodefaults", "-display", "none", "-monitor", "stdio",
		"-drive", "if=virtio,format=qcow2,file="+disks[0].Path)
	in, _ := holder.StdinPipe()
	out, _ := holder.StdoutPipe()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); holder.Process.Kill(); holder.Wait() }()
	if _, err := out.Read(make([]byte, 1)); err != nil { // its prompt comes once the disk is open
		t.Fatal(err)
	}
	is(t, s.Grow(ctx, vm1, "vda", 128<<20), virt.ErrConflict)
	if use, err = s.Usage(ctx, vm1); err != nil || use[0].Size != 64<<20 {
		t.Errorf("usage under a guest: %+v, %v", use, err)
	}
}

// An image whose header leads to another file: the file must not be read. Control: qemu-img by hand does read it.
func TestAnImageThatRefersToAHostFileIsRefused(t *testing.T) {
	ctx, s, dir := context.Background(), open(t, t.TempDir()), t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, bytes.Repeat([]byte("secret! "), 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	evil, leak := filepath.Join(dir, "evil.qcow2"), filepath.Join(dir, "leak")
	qemuImg(t, "create", "-f", "qcow2", "-b", secret, "-F", "raw", evil)
	data := filepath.Join(dir, "data.qcow2")
	qemuImg(t, "create", "-f", "qcow2", "-o", "data_file="+secret+".data,data_file_raw=on", data, "64k")

	for _, path := range []string{evil, data} {
		_, err := s.Import(ctx, "evil", virt.Image{Path: path, Format: virt.QCOW2}, nil)
		is(t, err, virt.ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), "refers to") {
			t.Errorf("does not say why: %v", err)
		}
	}
	qemuImg(t, "convert", "-f", "qcow2", "-O", "raw", evil, leak)
	if b, _ := os.ReadFile(leak); !bytes.Contains(b, []byte("secret!")) {
		t.Fatal("the control did not leak: this test proves nothing")
	}
	// A second opinion stands behind our own reading of the header.
	for _, said := range []string{
		`{"format":"qcow2","virtual-size":65536,"backing-filename":"/etc/shadow"}`,
		`{"format":"qcow2","virtual-size":65536,"format-specific":{"data":{"data-file":"/etc/shadow"}}}`,
		`{"format":"qcow2","virtual-size":1}`, `{"format":"raw","virtual-size":65536}`, `{`,
	} {
		if secondOpinion([]byte(said), header{size: 65536}) == nil {
			t.Errorf("accepted %s", said)
		}
	}
	if list, _ := s.Spacesuits(ctx); len(list) != 0 {
		t.Errorf("spacesuits %v", list)
	}
	assertClean(t, s)
}

func TestSweepRemovesDisksWithoutAVMAndNothingForeign(t *testing.T) {
	ctx, s := context.Background(), open(t, t.TempDir())
	raw, _ := rawImage(t)
	if _, err := s.Import(ctx, "tiny", virt.Image{Path: raw, Format: virt.Raw}, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []virt.ID{vm1, vm2} {
		if _, err := s.Create(ctx, id, "tiny", 0); err != nil {
			t.Fatal(err)
		}
	}
	orphan, foreign := s.suits("gone-0123abcd.qcow2"), s.suits("README")
	for _, p := range []string{orphan, foreign, s.volumes("notes.txt")} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := s.Sweep(ctx, func(id virt.ID) bool { return id == vm1 })
	if err != nil || len(gone) != 1 || gone[0] != vm2 {
		t.Errorf("swept %v, %v", gone, err)
	}
	if _, err := s.Usage(ctx, vm1); err != nil {
		t.Errorf("the living VM's disks: %v", err)
	}
	if _, err := os.Stat(orphan); err == nil {
		t.Error("the image without a sidecar is still there")
	}
	for _, p := range []string{foreign, s.volumes("notes.txt")} {
		if _, err := os.Stat(p); err != nil {
			t.Errorf("removed what is not ours: %v", err)
		}
	}
	// With a sidecar that cannot be read no image is safe to judge, so none is removed.
	images, _ := filepath.Glob(s.suits("*.qcow2"))
	if err := os.WriteFile(s.suits("tiny.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(ctx, func(virt.ID) bool { return true }); err == nil {
		t.Error("a broken sidecar went unnoticed")
	}
	if still, _ := filepath.Glob(s.suits("*.qcow2")); len(still) != len(images) {
		t.Error("images were removed under a broken sidecar")
	}
}
