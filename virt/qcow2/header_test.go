package qcow2

import (
	"bytes"
	"errors"
	"testing"
)

func TestHeaderOfHostileImagesIsRefused(t *testing.T) {
	good := header{version: 3, clusterBits: 16, size: 1 << 20}
	if err := good.refuse(); err != nil {
		t.Fatalf("a plain image is refused: %v", err)
	}
	for name, h := range map[string]header{
		"backing file":  {version: 3, clusterBits: 16, size: 1 << 20, backing: 512},
		"data file":     {version: 3, clusterBits: 16, size: 1 << 20, incompatible: featureDataFile},
		"corrupt":       {version: 3, clusterBits: 16, size: 1 << 20, incompatible: featureCorrupt},
		"from tomorrow": {version: 3, clusterBits: 16, size: 1 << 20, incompatible: 1 << 40},
		"encrypted":     {version: 2, clusterBits: 16, size: 1 << 20, crypt: 2},
		"empty":         {version: 2, clusterBits: 16},
		"absurd":        {version: 2, clusterBits: 16, size: 1 << 62},
	} {
		// Through the bytes, so that the parser's eyes are tested too.
		read, err := parseHeader(h.append(nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if read.refuse() == nil {
			t.Errorf("%s: imported", name)
		}
	}
}

func TestHeaderCutOffAtAnyByteIsAnError(t *testing.T) {
	whole := header{version: 3, clusterBits: 16, size: 1 << 20}.append(nil)
	for n := range whole {
		if _, err := parseHeader(whole[:n]); !errors.Is(err, errHeader) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(header{version: 3, clusterBits: 16, size: 1 << 30, backing: 112, incompatible: 5}.append(nil))
	f.Add(header{version: 2, clusterBits: 9, size: 512, crypt: 1, snapshots: 3}.append(nil))
	f.Add([]byte("QFI\xfb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		again, err := parseHeader(h.append(nil))
		if err != nil || again != h {
			t.Fatalf("%+v came back as %+v, %v", h, again, err)
		}
		if !bytes.Equal(h.append(nil), again.append(nil)) {
			t.Fatal("not stable")
		}
	})
}
