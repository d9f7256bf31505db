package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestLibrariesOfADependsField(t *testing.T) {
	got := libraries("init-system-helpers (>= 1.54~), libc6 (>= 2.36), libglib2.0-0t64 (>= 2.71.0) | libglib2.0-0, libudev1:any (>= 183), udev")
	if want := []string{"libc6", "libglib2.0-0t64", "libudev1"}; !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
}

// An archive is read back by the system's cpio with names, kinds and bytes as they were.
func TestArchiveIsCpio(t *testing.T) {
	var a archive
	a.dir("etc/deep")
	a.link("sh", "/bin/busybox")
	a.add(entry{"etc/deep/file", typeFile | 0o755, []byte("five!")})
	a.add(entry{"etc/deep/file", typeFile | 0o644, []byte("the first one stays")})
	b := a.append(nil)
	if !bytes.Equal(b, a.append(nil)) {
		t.Error("equal files do not make an equal archive")
	}
	list := exec.Command("cpio", "-itv", "--quiet")
	list.Stdin = bytes.NewReader(b)
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"drwxr-xr-x", " etc/deep\n", "sh -> /bin/busybox", "-rwxr-xr-x", "  5 ", " etc/deep/file\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// Every compression a distribution may choose, and one that nobody does.
func TestUnpackKernel(t *testing.T) {
	kernel := bytes.Repeat([]byte("a kernel, all in all. "), 5000)
	appended := binary.LittleEndian.AppendUint32(nil, uint32(len(kernel)))
	for _, tool := range [][]string{{"xz", "-zc", "--check=crc32"}, {"zstd", "-qc"}, {"gzip", "-c"}} {
		packed, err := output(context.Background(), "", kernel, tool[0], tool[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		if tool[0] != "gzip" { // whose own end is the length
			packed = append(packed, appended...)
		}
		got, err := unpack(context.Background(), packed)
		if err != nil || !bytes.Equal(got, kernel) {
			t.Errorf("%s: %d bytes, %v", tool[0], len(got), err)
		}
		packed[len(packed)-1]++
		if _, err := unpack(context.Background(), packed); err == nil {
			t.Errorf("%s: a kernel shorter than promised is taken", tool[0])
		}
	}
	if _, err := unpack(context.Background(), []byte("BZh91AY&SY, which is bzip2")); err == nil {
		t.Error("an unknown compression is taken")
	}
}

// By hand: "abc", then 9 bytes from 3 back (overlapping), then the literals "d".
func TestLZ4Block(t *testing.T) {
	block := []byte{0x35, 'a', 'b', 'c', 3, 0, 0x10, 'd'}
	frame := append([]byte{byte(len(block)), 0, 0, 0}, block...)
	got, err := unlz4(frame, 13)
	if err != nil || string(got) != "abcabcabcabcd" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := unlz4(frame, 12); err == nil {
		t.Error("more bytes than allowed are made")
	}
	block[4] = 4
	if _, err := unlz4(append([]byte{byte(len(block)), 0, 0, 0}, block...), 13); err == nil {
		t.Error("a match from before the block is taken")
	}
}

func FuzzUnlz4(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 0x35, 'a', 'b', 'c', 3, 0, 0x10, 'd'})
	f.Add([]byte{2, 0, 0, 0, 0xf0, 255})
	f.Fuzz(func(t *testing.T, in []byte) {
		if out, err := unlz4(in, 1<<16); err == nil && len(out) > 1<<16 {
			t.Errorf("%d bytes", len(out))
		}
	})
}

func FuzzPVHEntry(f *testing.F) {
	note := func(kind uint32, name string, desc ...byte) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(len(name)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(desc)))
		b = binary.LittleEndian.AppendUint32(b, kind)
		return append(append(b, name...), desc...)
	}
	good := append(note(6, "Xen\x00", 'l', 'i', 'n', 0), note(noteEntry, "Xen\x00", 0x50, 8, 0, 1)...)
	if entry, ok := pvhEntry(good); !ok || entry != 0x1000850 {
		f.Errorf("entry %#x, %v", entry, ok)
	}
	if _, ok := pvhEntry(note(noteEntry, "GNU\x00", 1, 2, 3, 4)); ok {
		f.Error("another owner's note is taken")
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, in []byte) { pvhEntry(in) })
}

func TestPayloadRefuses(t *testing.T) {
	image := make([]byte, 4096)
	copy(image[0x202:], "HdrS\x0f\x02")
	image[0x1f1] = 1
	binary.LittleEndian.PutUint32(image[0x24c:], 100)
	if got, err := payload(image); err != nil || len(got) != 100 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for name, spoil := range map[string]func(b []byte){
		"no magic":     func(b []byte) { b[0x202] = 0 },
		"old protocol": func(b []byte) { b[0x206] = 7 },
		"beyond end":   func(b []byte) { b[0x24e] = 1 },
	} {
		bad := slices.Clone(image)
		spoil(bad)
		if _, err := payload(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
