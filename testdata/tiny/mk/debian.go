package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxPackages bounds the walk through the agent's libraries; it needs about fifteen.
const maxPackages = 60

// unpackPackages fetches the packages into work/debs, unpacks them over each other into work/root and gives that
// folder. Packages fetched before are not fetched again while apt holds them to be the newest.
func unpackPackages(ctx context.Context, work string) (string, error) {
	debs, root := filepath.Join(work, "debs"), filepath.Join(work, "root")
	if err := os.RemoveAll(root); err != nil {
		return "", err
	}
	for _, dir := range []string{debs, root} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
	}
	kernel, err := kernelPackage(ctx)
	if err != nil {
		return "", err
	}
	queue := []string{kernel, "busybox-static", "qemu-guest-agent"}
	seen := map[string]bool{kernel: true, "busybox-static": true, "qemu-guest-agent": true}
	for len(queue) > 0 {
		if len(seen) > maxPackages {
			return "", fmt.Errorf("more than %d packages are needed: %v", maxPackages, queue)
		}
		name := queue[0]
		queue = queue[1:]
		deb, err := download(ctx, debs, name)
		if err != nil {
			return "", err
		}
		if err := command(ctx, "", "dpkg-deb", "-x", deb, root); err != nil {
			return "", err
		}
		if name == kernel || name == "busybox-static" {
			continue
		}
		field, err := output(ctx, "", nil, "dpkg-deb", "-f", deb, "Depends")
		if err != nil {
			return "", err
		}
		for _, lib := range libraries(string(field)) {
			if !seen[lib] {
				seen[lib] = true
				queue = append(queue, lib)
			}
		}
	}
	return root, nil
}

// kernelPackage gives the package that the cloud kernel's metapackage stands for.
func kernelPackage(ctx context.Context) (string, error) {
	const meta = "linux-image-cloud-amd64"
	out, err := output(ctx, "", nil, "apt-cache", "depends", meta)
	if err != nil {
		return "", fmt.Errorf("%w (apt-get update has to run once)", err)
	}
	m := regexp.MustCompile(`(?m)^ +Depends: (linux-image-[0-9]\S+)$`).FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("apt knows no kernel behind %s", meta)
	}
	return string(m[1]), nil
}

// download fetches one package into dir and gives its path.
func download(ctx context.Context, dir, name string) (string, error) {
	args := []string{"-q", "download", name}
	if os.Geteuid() == 0 {
		args = append([]string{"-o", "APT::Sandbox::User=root"}, args...)
	}
	if err := command(ctx, dir, "apt-get", args...); err != nil {
		return "", fmt.Errorf("%w (where apt's lists are old, apt-get update has to run)", err)
	}
	// More than one version lies there after an update of the archive: the newest file is the one just fetched.
	found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err != nil {
		return "", err
	}
	best, bestTime := "", int64(0)
	for _, path := range found {
		if s, err := os.Stat(path); err == nil && s.ModTime().UnixNano() >= bestTime {
			best, bestTime = path, s.ModTime().UnixNano()
		}
	}
	if best == "" {
		return "", errors.New("apt-get download left no " + name)
	}
	return best, nil
}

// libraries picks from a Depends field the packages of shared libraries, the first of each set of alternatives.
func libraries(depends string) []string {
	var libs []string
	for clause := range strings.SplitSeq(depends, ",") {
		first, _, _ := strings.Cut(clause, "|")
		first, _, _ = strings.Cut(strings.TrimSpace(first), " ")
		first, _, _ = strings.Cut(first, ":")
		if strings.HasPrefix(first, "lib") {
			libs = append(libs, first)
		}
	}
	return libs
}
