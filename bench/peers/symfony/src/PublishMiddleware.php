<?php

declare(strict_types=1);

namespace Iq\Peer;

use Iq\Peer\Message\Command;
use Iq\Peer\Message\Unreadable;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\AmqpReceivedStamp;
use Symfony\Component\Messenger\Bridge\Amqp\Transport\AmqpStamp;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Middleware\MiddlewareInterface;
use Symfony\Component\Messenger\Middleware\StackInterface;
use Symfony\Component\Messenger\Transport\Sender\SenderInterface;

/** Sends what a decided command sends out. The senders return when it is confirmed. */
final class PublishMiddleware implements MiddlewareInterface
{
    private const DEAD_QUEUE = 'billing.dead';

    public function __construct(
        private readonly SenderInterface $events,
        private readonly SenderInterface $dead,
    ) {
    }

    public function handle(Envelope $envelope, StackInterface $stack): Envelope
    {
        $message = $envelope->getMessage();
        if ($message instanceof Unreadable) {
            $reason = $message->refused;
            $verdict = new Verdict('invalid', $reason->refusal, $reason->getMessage(), []);
            $this->dead->send($this->deadCopy($envelope, $verdict));

            return $envelope;
        }
        $identity = Identity::of($envelope);
        $envelope = $stack->next()->handle($envelope->with($identity), $stack);
        $verdict = $envelope->last(Verdict::class);
        foreach ($verdict->events as $event) {
            $this->events->send(new Envelope($event, [$this->propertiesOf($event, $identity)]));
        }
        if ('done' !== $verdict->outcome) {
            $this->dead->send($this->deadCopy($envelope, $verdict));
        }

        return $envelope;
    }

    private function propertiesOf(Event $event, Identity $identity): AmqpStamp
    {
        $headers = [
            'cloudEvents_id' => $event->id,
            'cloudEvents_source' => 'symfony',
            'cloudEvents_type' => $event->name,
            'cloudEvents_time' => $event->occurredAt,
            'cloudEvents_specversion' => '1.0',
        ];
        if ('' !== $identity->traceparent) {
            $headers['traceparent'] = $identity->traceparent;
        }

        return new AmqpStamp($event->name, \AMQP_NOPARAM, [
            'content_type' => 'application/json',
            'message_id' => $event->id,
            'correlation_id' => $identity->correlationId ?: $identity->id,
            'headers' => $headers,
        ]);
    }

    private function deadCopy(Envelope $envelope, Verdict $verdict): Envelope
    {
        $message = $envelope->getMessage();
        $original = $envelope->last(AmqpReceivedStamp::class)->getAmqpEnvelope();
        $attributes = array_filter([
            'content_type' => $original->getContentType(),
            'content_encoding' => $original->getContentEncoding(),
            'message_id' => $original->getMessageId(),
            'correlation_id' => $original->getCorrelationId(),
            'reply_to' => $original->getReplyTo(),
            'type' => $original->getType(),
            'app_id' => $original->getAppId(),
            'priority' => $original->getPriority(),
            'timestamp' => $original->getTimestamp(),
        ]);
        $attributes['headers'] = [
            'x-iq-code' => $verdict->code,
            'x-iq-reason' => $verdict->reason,
            'x-iq-outcome' => $verdict->outcome,
            'x-iq-attempts' => 1,
            'x-iq-type' => $message instanceof Command ? $message->type() : '',
            'x-iq-plugin' => 'symfony/1',
            'x-iq-at' => Event::now(),
            'x-iq-queue' => 'billing',
        ] + $original->getHeaders();

        return new Envelope(new Raw($message->body),
            [new AmqpStamp(self::DEAD_QUEUE, \AMQP_MANDATORY, $attributes)]);
    }
}
