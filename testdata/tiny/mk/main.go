package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// commandLine is the kernel's: quiet, since a serial line under emulation is slow, and without what a
// throw-away guest gains nothing from.
const commandLine = "console=ttyS0 quiet panic=10 net.ifnames=0 mitigations=off no_timer_check random.trust_cpu=on rcupdate.rcu_expedited=1 cryptomgr.notests" +
	" init_on_alloc=0 audit=0 lsm="

func main() {
	src := flag.String("src", "testdata/tiny/guest", "folder of boot.s, blocks.c and root/")
	work := flag.String("work", ".build/tiny", "folder for packages and parts")
	out := flag.String("out", ".build/tiny.qcow2", "the image")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := build(ctx, *src, *work, *out); err != nil {
		fmt.Fprintln(os.Stderr, "mk:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context, src, work, out string) error {
	for _, dir := range []string{work, filepath.Dir(out)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	root, err := unpackPackages(ctx, work)
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	vmlinux, err := kernelOf(ctx, root)
	if err != nil {
		return err
	}
	blocks := filepath.Join(work, "blocks")
	if err := command(ctx, "", "gcc", "-Wall", "-Wextra", "-Os", "-static", "-s", "-o", blocks, filepath.Join(src, "blocks.c")); err != nil {
		return err
	}
	initrd, err := initrdOf(ctx, src, root, blocks)
	if err != nil {
		return err
	}
	boot, err := assemble(ctx, src, work)
	if err != nil {
		return err
	}
	raw := filepath.Join(work, "tiny.raw")
	if err := writeDisk(raw, boot, vmlinux, initrd); err != nil {
		return err
	}
	defer os.Remove(raw)
	// Renamed when whole: an image that exists is good.
	part := out + ".part"
	if err := command(ctx, "", "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd", raw, part); err != nil {
		return err
	}
	return os.Rename(part, out)
}

// assemble gives the boot loader's image, without plan and command line.
func assemble(ctx context.Context, src, work string) ([]byte, error) {
	object, image := filepath.Join(work, "boot.o"), filepath.Join(work, "boot.bin")
	if err := command(ctx, "", "as", "--32", "-o", object, filepath.Join(src, "boot.s")); err != nil {
		return nil, err
	}
	if err := command(ctx, "", "ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", image, object); err != nil {
		return nil, err
	}
	return os.ReadFile(image)
}

// command runs a program in dir; its error holds what the program said.
func command(ctx context.Context, dir, name string, args ...string) error {
	_, err := output(ctx, dir, nil, name, args...)
	return err
}

// output runs a program in dir with in as its input and gives what it printed.
func output(ctx context.Context, dir string, in []byte, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C")
	c.Stdin = strings.NewReader(string(in))
	var said strings.Builder
	c.Stderr = &said
	got, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return got, nil
}
