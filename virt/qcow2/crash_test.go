package qcow2

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"decenter/virt"
)

// TestMain lets this binary be the process that gets killed: with these variables set it imports, creates and
// deletes without end.
func TestMain(m *testing.M) {
	if dir := os.Getenv("QCOW2_CRASH_DIR"); dir != "" {
		churn(dir, os.Getenv("QCOW2_CRASH_IMAGE"))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func churn(dir, image string) {
	ctx := context.Background()
	s, err := Open(dir, time.Now)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := uint32(0); ; i++ {
		name := "suit-" + suffix()
		if _, err = s.Import(ctx, name, virt.Image{Path: image, Format: virt.QCOW2}, nil); err != nil {
			break
		}
		for j := range 3 {
			id := virt.ID{byte(i >> 8), byte(i), byte(j), 15: 1}
			copy(id[4:], suffix())
			_, err = s.Create(ctx, id, name, 0)
			if err == nil && j == 1 {
				err = s.Delete(ctx, id)
			}
			if err == nil && j == 2 {
				err = s.Grow(ctx, id, "vda", 8<<20)
			}
			if err != nil {
				fmt.Println(err)
				return
			}
		}
	}
	fmt.Println(err)
}

// TestAKillAtAnyMomentLeavesWholeThings kills a busy store at random moments. What is listed afterwards must be
// whole by qemu-img's own check, and nothing else may be left after Sweep.
func TestAKillAtAnyMomentLeavesWholeThings(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	raw, _ := rawImage(t)
	image := raw + ".qcow2"
	qemuImg(t, "convert", "-f", "raw", "-O", "qcow2", raw, image)
	dice := rand.New(rand.NewPCG(1, 2))
	caught := 0 // times the kill met work half-done: else this test proves nothing
	for range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "QCOW2_CRASH_DIR="+dir, "QCOW2_CRASH_IMAGE="+image)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100*time.Millisecond + time.Duration(dice.IntN(300))*time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		if halfDone(dir) {
			caught++
		}
		verify(t, ctx, dir)
	}
	if caught == 0 {
		t.Error("no kill met half-done work")
	}
	t.Logf("%d of 12 kills met half-done work", caught)
}

func halfDone(dir string) bool {
	for _, d := range []string{"spacesuits", "volumes"} {
		entries, _ := os.ReadDir(dir + "/" + d)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				return true
			}
		}
	}
	return false
}

func verify(t *testing.T, ctx context.Context, dir string) {
	t.Helper()
	s, err := Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Sweep(ctx, func(virt.ID) bool { return true }); err != nil {
		t.Fatal(err)
	}
	assertClean(t, s)
	list, err := s.Spacesuits(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, suit := range list {
		c, err := s.readSidecar(suit.Name)
		if err != nil {
			t.Fatal(err)
		}
		qemuImg(t, "check", "-q", "-f", "qcow2", s.suits(c.Image))
	}
	entries, _ := os.ReadDir(s.volumes())
	for _, e := range entries {
		id, err := virt.ParseID(e.Name())
		if err != nil {
			t.Fatalf("%s: %v", e.Name(), err)
		}
		use, err := s.Usage(ctx, id)
		if err != nil || len(use) != 1 {
			t.Fatalf("%v: %v, %v", id, use, err)
		}
		qemuImg(t, "check", "-q", "-f", "qcow2", use[0].Disk.Path)
	}
	// The next round begins small.
	if _, err := s.Sweep(ctx, func(virt.ID) bool { return false }); err != nil {
		t.Fatal(err)
	}
	for _, suit := range list {
		os.Remove(s.suits(suit.Name + ".json"))
	}
}
