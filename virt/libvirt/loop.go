package libvirt

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	lv "libvirt.org/go/libvirt"
)

// libvirt's client library has one event loop for the whole process, which must be registered before the first
// connection and can never be taken back. That is the one reason for a variable of the package.
var eventLoop = sync.OnceValue(func() error {
	if err := lv.EventRegisterDefaultImpl(); err != nil {
		return fmt.Errorf("libvirt's client library: %w", err)
	}
	go func() {
		for {
			if err := lv.EventRunDefaultImpl(); err != nil {
				slog.Error("libvirt's event loop", "error", err)
				time.Sleep(100 * time.Millisecond) // a broken loop must not take a processor
			}
		}
	}()
	return nil
})
