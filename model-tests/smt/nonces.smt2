; Nonces of records: no two records of one key have the same (RFC 5116 §3.2), proved for all numbers, IVs and salts at once.
;
; The functions are how dtls-core makes nonces; how code and goals are bound is said in reconstruction.smt2.
(set-logic QF_BV)
(set-option :produce-models false)

; A record number of DTLS 1.2 is also what varies in its nonce: epoch and sequence number (RFC 6347 §4.1).
(define-fun record_number ((epoch (_ BitVec 16)) (seq (_ BitVec 48))) (_ BitVec 64)
  (concat epoch seq))

; AES in DTLS 1.2: salt and record number (RFC 5288 §3, RFC 6655 §3).
(define-fun explicit12 ((salt (_ BitVec 32)) (epoch (_ BitVec 16)) (seq (_ BitVec 48))) (_ BitVec 96)
  (concat salt (record_number epoch seq)))

; ChaCha20-Poly1305 in DTLS 1.2: the record number on the IV (RFC 7905 §2).
(define-fun implicit12 ((iv (_ BitVec 96)) (epoch (_ BitVec 16)) (seq (_ BitVec 48))) (_ BitVec 96)
  (bvxor iv (concat #x00000000 (record_number epoch seq))))

; DTLS 1.3: the sequence number on the IV (rfc9147bis §4); every epoch has its own key.
(define-fun nonce13 ((iv (_ BitVec 96)) (seq (_ BitVec 48))) (_ BitVec 96)
  (bvxor iv (concat #x00000000 (concat #x0000 seq))))

(declare-const salt (_ BitVec 32))
(declare-const iv (_ BitVec 96))
(declare-const epoch1 (_ BitVec 16))
(declare-const epoch2 (_ BitVec 16))
(declare-const seq1 (_ BitVec 48))
(declare-const seq2 (_ BitVec 48))

(define-fun same_record () Bool (and (= epoch1 epoch2) (= seq1 seq2)))

(push 1)
(assert (= (explicit12 salt epoch1 seq1) (explicit12 salt epoch2 seq2)))
(assert (not same_record))
(set-info :status unsat)
(check-sat)
(pop 1)

(push 1)
(assert (= (implicit12 iv epoch1 seq1) (implicit12 iv epoch2 seq2)))
(assert (not same_record))
(set-info :status unsat)
(check-sat)
(pop 1)

(push 1)
(assert (= (nonce13 iv seq1) (nonce13 iv seq2)))
(assert (not (= seq1 seq2)))
(set-info :status unsat)
(check-sat)
(pop 1)

; With one key for two epochs it would not hold.
(push 1)
(assert (= (nonce13 iv seq1) (nonce13 iv seq2)))
(assert (not same_record))
(set-info :status sat)
(check-sat)
(pop 1)
