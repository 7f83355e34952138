// Checks checkpoints and proofs of a ledger with Go's own sumdb packages, which share nothing with Actledger.
// It reads commands, one a line, fields divided by spaces, and prints ok or what is wrong for each:
//
//	note VKEY FILE                        a signed checkpoint
//	inclusion SIZE ROOT SEQ LEAFHASH PROOF   base64 hashes, the proof's divided by commas
//	consistency NEW NEWROOT OLD OLDROOT PROOF
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func hash(text string) tlog.Hash {
	var h tlog.Hash
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		panic("no hash: " + text)
	}
	copy(h[:], raw)
	return h
}

func hashes(text string) []tlog.Hash {
	var all []tlog.Hash
	for _, part := range strings.Split(text, ",") {
		if part != "" && part != "-" {
			all = append(all, hash(part))
		}
	}
	return all
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func check(f []string) error {
	switch f[0] {
	case "note":
		verifier, err := note.NewVerifier(f[1])
		if err != nil {
			return err
		}
		text, err := os.ReadFile(f[2])
		if err != nil {
			return err
		}
		opened, err := note.Open(text, note.VerifierList(verifier))
		if err != nil {
			return err
		}
		lines := strings.Split(opened.Text, "\n")
		if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
			return fmt.Errorf("not the three lines of a checkpoint: %q", opened.Text)
		}
		number(lines[1])
		hash(lines[2])
		return nil
	case "inclusion":
		return tlog.CheckRecord(hashes(f[5]), number(f[1]), hash(f[2]), number(f[3]), hash(f[4]))
	case "consistency":
		return tlog.CheckTree(hashes(f[5]), number(f[1]), hash(f[2]), number(f[3]), hash(f[4]))
	}
	return fmt.Errorf("no such command: %s", f[0])
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := check(strings.Fields(lines.Text())); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}
