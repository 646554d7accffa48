; Sequence numbers of which only the low bits are on the wire (RFC 9147 §4.2.2), proved for all numbers at once.
;
; `reconstruct` is dtls-core's function of the same name. `model-tests/tests/formulas.rs` evaluates the definitions of this
; file beside the code at every boundary and at random points, so that neither can change without the other. `.ci/smt` has
; every goal decided: the answer must be the :status that stands before it. A claim is proved when its negation is unsat;
; each `sat` shows that the goals around it do not hold for want of any case.
(set-logic QF_BV)
(set-option :produce-models false)

; Numbers have 48 bits. What is expected is one more than the largest number seen, so that it may be 2^48 itself.
(define-fun numbers () (_ BitVec 64) #x0001000000000000)

; The low bits that are on the wire.
(define-fun low_bits ((number (_ BitVec 64)) (period (_ BitVec 64))) (_ BitVec 64)
  (bvand number (bvsub period #x0000000000000001)))

(define-fun half ((period (_ BitVec 64))) (_ BitVec 64)
  (bvlshr period #x0000000000000001))

; The code: the number of the same period as the expected one, or of the period before or after if that is closer.
(define-fun reconstruct ((expected (_ BitVec 64)) (low (_ BitVec 64)) (period (_ BitVec 64))) (_ BitVec 64)
  (let ((near (bvor (bvand expected (bvnot (bvsub period #x0000000000000001))) (low_bits low period))))
    (ite (bvule (bvadd near (half period)) expected)
      (bvadd near period)
      (ite (and (bvugt near (bvadd expected (half period))) (bvuge near period))
        (bvsub near period)
        near))))

; Less than half a period before what is expected, or at most half a period after it.
(define-fun within_half ((number (_ BitVec 64)) (expected (_ BitVec 64)) (period (_ BitVec 64))) Bool
  (and (bvult expected (bvadd number (half period)))
       (bvule number (bvadd expected (half period)))))

(define-fun distance ((a (_ BitVec 64)) (b (_ BitVec 64))) (_ BitVec 64)
  (ite (bvult a b) (bvsub b a) (bvsub a b)))

; Whether `a` is the better guess: closer, or as close and the later one.
(define-fun better ((a (_ BitVec 64)) (b (_ BitVec 64)) (expected (_ BitVec 64))) Bool
  (or (bvult (distance a expected) (distance b expected))
      (and (= (distance a expected) (distance b expected)) (bvugt a b))))

(declare-const number (_ BitVec 64))
(declare-const expected (_ BitVec 64))
(declare-const period (_ BitVec 64))

(assert (bvult number numbers))
(assert (bvule expected numbers))
; 8 bits on the wire, or 16
(assert (or (= period #x0000000000000100) (= period #x0000000000010000)))

; Claim 1: every number within half a period of what is expected is found.
(push 1)
(assert (within_half number expected period))
(assert (not (= (reconstruct expected (low_bits number period) period) number)))
(set-info :status unsat)
(check-sat)
(pop 1)

; There are such numbers, at both ends as well.
(push 1)
(assert (within_half number expected period))
(assert (= number #x0000000000000000))
(assert (bvugt expected number))
(set-info :status sat)
(check-sat)
(pop 1)
(push 1)
(assert (within_half number expected period))
(assert (= expected numbers))
(set-info :status sat)
(check-sat)
(pop 1)

; The bound is sharp: not every number exactly half a period before is found.
(push 1)
(assert (= (bvadd number (half period)) expected))
(assert (not (= (reconstruct expected (low_bits number period) period) number)))
(set-info :status sat)
(check-sat)
(pop 1)

; Claim 2: what is found has the low bits of the wire, whatever they are.
(push 1)
(assert (not (= (low_bits (reconstruct expected (low_bits number period) period) period) (low_bits number period))))
(set-info :status unsat)
(check-sat)
(pop 1)

; Claim 3: no other number with these low bits is a better guess. Near 0 there is none before, and none is made up.
(push 1)
(assert (not (= (reconstruct expected (low_bits number period) period) number)))
(assert (better number (reconstruct expected (low_bits number period) period) expected))
(set-info :status unsat)
(check-sat)
(pop 1)

; Claim 4: while less than half a period is expected, as at the start of an epoch, every number of the first period is found,
; even one more than half a period ahead.
(push 1)
(assert (bvult expected (half period)))
(assert (bvult number period))
(assert (not (= (reconstruct expected (low_bits number period) period) number)))
(set-info :status unsat)
(check-sat)
(pop 1)

; What is found may be no number at all, near the last one: the receiver has to refuse it.
(push 1)
(assert (bvuge (reconstruct expected (low_bits number period) period) numbers))
(set-info :status sat)
(check-sat)
(pop 1)

; Claim 5: but never by more than half a period, so that nothing wraps around.
(push 1)
(assert (bvugt (reconstruct expected (low_bits number period) period) (bvadd numbers (half period))))
(set-info :status unsat)
(check-sat)
(pop 1)
