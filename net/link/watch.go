package link

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Watch says that some device changed, appeared or went: one value for any number of changes since the last one was
// taken. The channel closes when ctx ends. A socket overrun counts as a change.
func Watch(ctx context.Context) (<-chan struct{}, error) {
	fd, err := watchSocket()
	if err != nil {
		return nil, fmt.Errorf("watch network devices: %w", err)
	}
	return watch(ctx, fd), nil
}

func watchSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// watch reads the socket, and closes it in the end.
func watch(ctx context.Context, fd int) <-chan struct{} {
	f := os.NewFile(uintptr(fd), "rtnetlink")
	changed := make(chan struct{}, 1)
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	go func() {
		defer close(changed)
		defer f.Close()
		defer stop()
		buf := make([]byte, 1<<16)
		for ctx.Err() == nil {
			if _, err := f.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed
}
