// Package chromium finds the browser in which tests look at pages.
package chromium

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// candidates are the places where Chromium, or a browser based on it, may be.
// The Makefile looks in the same places.
var candidates = []string{
	"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

// Find returns the path of the browser: that in CHROMIUM, or else the first
// candidate that exists. The error says how to install one.
func Find() (string, error) {
	names := candidates
	if path := os.Getenv("CHROMIUM"); path != "" {
		names = []string{path}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("this test needs Chromium, or a browser based on it; looked for %s. Install it with\n"+
		"    sudo apt-get install chromium        (Debian)\n"+
		"    brew install --cask chromium         (macOS)\n"+
		"or set CHROMIUM to the path of such a browser", strings.Join(names, ", "))
}
